"""Seeds that change with every use, as a variable: a compiled step draws new random numbers each time it
runs.
"""

from __future__ import annotations

import random as python_random
from typing import Any

import numpy as np

from kcompile.core import registry
from kcompile.trace import tracer
from kcompile.trace.naming import auto_name, checked_name
from kcompile.trace.variable import Variable, name_scope


def checked_seed(seed: Any) -> int:
    """seed as the first word of a key.

    Raises:  OverflowError if it does not fit into 32 bits, without a sign.
    """
    if not 0 <= seed < 2**32:
        raise OverflowError(f"Argument `seed` must lie in [0, 2 ** 32). Received: seed={seed}")
    return int(seed)


class SeedGenerator:
    """A pair (seed, number of draws so far), uint32; `next()` returns it and counts on.

    >>> generator = SeedGenerator(7)
    >>> generator.next().tolist(), generator.next().tolist()
    ([7, 0], [7, 1])
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any):
        kwargs.pop("backend", None)  # there is one
        if kwargs:
            raise ValueError(f"SeedGenerator: unknown keyword arguments. Received: {kwargs}")
        self.name = auto_name("SeedGenerator") if name is None else checked_name(name)
        self._initial_seed = seed
        if seed is None:
            seed = python_random.randint(1, int(1e9))
        if not isinstance(seed, (int, np.integer)):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed}")
        seed = checked_seed(seed)
        with tracer.suspended(), name_scope(self.name):
            state = np.array([seed, 0], "uint32")
            self.state = Variable(state, dtype="uint32", trainable=False, name="seed_generator_state")

    def next(self, ordered: bool = True) -> Any:
        """The state as it was, (2,) uint32: the key of one random op.

        ordered: the next state counts one draw more; else it is scrambled, as in Keras.
        """
        key = self.state.value
        key = key.copy() if isinstance(key, np.ndarray) else key
        if ordered:
            self.state.assign_add(np.array([0, 1], "uint32"))
        else:
            self.state.assign((self.state.value + np.uint32(1)) * np.uint32(5387) % np.uint32(933199))
        return key

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        return cls(**config)


registry.publish("keras.random", {"SeedGenerator": SeedGenerator})
