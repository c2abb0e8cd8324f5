"""The arena: offsets for intermediate values from their lifetimes, so that memory is used again as soon as it
is free.
"""

from __future__ import annotations

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
    placed: list[int] = []
    total = 0
    for k in sorted(range(len(lifetimes)), key=lambda k: (-lifetimes[k].size, k)):
        one = lifetimes[k]
        busy = sorted(
            (offsets[p], offsets[p] + rounded(lifetimes[p].size))
            for p in placed
            if lifetimes[p].first <= one.last and one.first <= lifetimes[p].last
        )
        at = 0
        for low, high in busy:
            if at + rounded(one.size) <= low:
                break
            at = max(at, high)
        offsets[k] = at
        total = max(total, at + rounded(one.size))
        placed.append(k)
    return offsets, total


def rounded(size: int) -> int:
    return max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT)
