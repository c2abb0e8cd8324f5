"""The arena: offsets for intermediate values from their lifetimes, so that memory is used again as soon as it
is free.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

ALIGNMENT = 64


@dataclass(frozen=True)
class Lifetime:
    """A buffer of `size` bytes, needed from command `first` to command `last`, both included."""

    size: int
    first: int
    last: int


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
