"""The states of random generators as plain data: arrays of words, and what JSON can hold."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

OTHER = 2**32 - 1  # in place of a position: `np.random` uses another kind of generator, which is left alone


def global_states() -> np.ndarray:
    """Where the generators of Python's `random` and of `np.random` stand, uint32.

    >>> before = global_states()
    >>> first = random.random(), np.random.normal()
    >>> set_global_states(before)
    >>> first == (random.random(), np.random.normal())
    True
    """
    _, words, normal = random.getstate()
    legacy: dict[str, Any] = np.random.get_state(legacy=False)
    inner = legacy["state"] if legacy["bit_generator"] == "MT19937" else {"key": [0] * 624, "pos": OTHER}
    normals = np.array([0.0 if normal is None else normal, legacy.get("gauss", 0.0)], np.float64)
    flags = [normal is not None, legacy.get("has_gauss", 0), inner["pos"]]
    parts = [words, inner["key"], flags, normals.view(np.uint32)]
    return np.concatenate([np.asarray(part, np.uint32) for part in parts])


def set_global_states(states: np.ndarray) -> None:
    """Put both generators where `global_states` found them.

    Raises:  ValueError for anything else than such an array.
    """
    if states.dtype != np.uint32 or states.shape != (625 + 624 + 3 + 4,):
        raise ValueError(
            f"The states of the random generators are damaged: {states.dtype} {list(states.shape)}"
        )
    words, key, flags, normals = np.split(states, [625, 1249, 1252])
    normal, legacy_normal = normals.copy().view(np.float64).tolist()
    random.setstate((3, tuple(words.tolist()), normal if flags[0] else None))
    if flags[2] != OTHER:
        np.random.set_state(("MT19937", key, int(flags[2]), int(flags[1]), legacy_normal))


def generator_state(rng: np.random.Generator | None) -> list[Any] | None:
    """Where a generator made by `np.random.default_rng` stands; None for none.

    >>> rng = np.random.default_rng(3)
    >>> before = generator_state(rng)
    >>> first = rng.integers(1000, size=5).tolist()
    >>> set_generator_state(rng, before)
    >>> first == rng.integers(1000, size=5).tolist()
    True
    """
    if rng is None:
        return None
    found = rng.bit_generator.state
    numbers = found["state"]["state"], found["state"]["inc"]  # 128 bits each: more than JSON's numbers hold
    return [*map(str, numbers), found["has_uint32"], found["uinteger"]]


def set_generator_state(rng: np.random.Generator | None, state: list[Any] | None) -> None:
    """Put a generator where `generator_state` found it."""
    if rng is None or state is None:
        return
    words, increment, has_half, half = state
    inner = {"state": int(words), "inc": int(increment)}
    kind = rng.bit_generator.state["bit_generator"]
    rng.bit_generator.state = {
        "bit_generator": kind, "state": inner, "has_uint32": has_half, "uinteger": half
    }  # fmt: skip
