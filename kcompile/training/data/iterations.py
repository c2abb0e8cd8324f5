"""Iterations that draw, keep elements, or begin anew: for `shuffle`, `cache` and `repeat` of a `Dataset`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

Start = Callable[[], Iterator[Any]]  # begins an iteration

_looking = ContextVar("looking", default=False)


@contextmanager
def looking() -> Iterator[None]:
    """Iterations that begin inside change nothing: the next one gives what it would have given."""
    token = _looking.set(True)
    try:
        yield
    finally:
        _looking.reset(token)


def drawn_from(rng: np.random.Generator) -> np.random.Generator:
    """What an iteration that begins now draws from; later ones go on where it ends, unless it is a look."""
    return copy.deepcopy(rng) if _looking.get() else rng


def repeated(start: Start) -> Start:
    """Again and again, as long as there are elements."""

    def again() -> Iterator[Any]:
        found = True
        while found:
            found = False
            for element in start():
                found = True
                yield element

    return again


def shuffled(start: Start, size: int, rng: np.random.Generator, fixed: int | None) -> Start:
    """Each element is drawn from the `size` next ones; from all where there are never so many. fixed: the
    seed of every iteration.
    """

    def drawn() -> Iterator[Any]:
        own = drawn_from(rng) if fixed is None else np.random.default_rng(fixed)
        held: list[Any] = []
        for element in start():
            held.append(element)
            if len(held) == size:
                place = own.integers(len(held))
                held[place], held[-1] = held[-1], held[place]
                yield held.pop()
        yield from (held[k] for k in own.permutation(len(held)))

    return drawn


def cached(start: Start) -> Start:
    """What the first complete iteration gave."""
    kept: list[list[Any]] = []

    def known() -> Iterator[Any]:
        if kept:
            yield from kept[0]
            return
        seen = []
        for element in start():
            seen.append(element)
            yield element
        kept[:] = [seen]

    return known
