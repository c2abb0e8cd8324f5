"""Iterations that keep elements, or begin anew: for `shuffle`, `cache` and `repeat` of a `Dataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Start = Callable[[], Iterator[Any]]  # begins an iteration


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


def shuffled(start: Start, size: int, rng: Callable[[], np.random.Generator]) -> Start:
    """Each element is drawn from the `size` next ones; from all where there are never so many. rng: called
    for each iteration.
    """

    def drawn() -> Iterator[Any]:
        own = rng()
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
