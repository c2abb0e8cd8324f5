"""The arena: offsets for intermediate values from their lifetimes, so that memory is used again as soon as it
is free.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

ALIGNMENT = 64
Buffer = TypeVar("Buffer")


@dataclass(frozen=True)
class Lifetime:
    """A buffer of `size` bytes, needed from command `first` to command `last`, both included."""

    size: int
    first: int
    last: int


def lives(touched: Iterable[Iterable[Buffer]]) -> dict[Buffer, tuple[int, int]]:
    """The first and the last command that touches each buffer, the buffers in order of the first.

    >>> lives(["ab", "b", "bc"])
    {'a': (0, 0), 'b': (0, 2), 'c': (2, 2)}
    """
    found: dict[Buffer, tuple[int, int]] = {}
    for k, buffers in enumerate(touched):
        for buffer in buffers:
            found[buffer] = found.get(buffer, (k, k))[0], k
    return found


def place(lifetimes: list[Lifetime]) -> tuple[list[int], int]:
    """Offsets, and the arena's size: the largest buffers first, each at the lowest gap among those it lives
    with.

    >>> place([Lifetime(64, 0, 1), Lifetime(64, 1, 2), Lifetime(64, 2, 3)])
    ([0, 64, 0], 128)
    """
    offsets = [0] * len(lifetimes)
    taken: list[tuple[int, int, int, int]] = []  # begin, end, first, last: by where they begin
    total = 0
    for k in sorted(range(len(lifetimes)), key=lambda k: (-lifetimes[k].size, k)):
        first, last, size = lifetimes[k].first, lifetimes[k].last, rounded(lifetimes[k].size)
        at = 0
        for begin, end, since, until in taken:
            if since <= last and first <= until:
                if at + size <= begin:
                    break
                at = max(at, end)
        offsets[k] = at
        total = max(total, at + size)
        insort(taken, (at, at + size, first, last))
    return offsets, total


def rounded(size: int) -> int:
    return max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT)
