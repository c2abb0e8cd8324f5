"""Which groups, of a convolution or of any product, can share the lanes of a vector."""

from __future__ import annotations

LANES = 16  # of the widest vectors, of float32: a graph is the same for every CPU


def share_lanes(columns: int, depth: int, lanes: int) -> bool:
    """Does a vector of so many lanes hold whole groups of `columns`, and do few hold the `depth` elements
    that each of them multiplies?

    >>> share_lanes(4, 4, 16), share_lanes(16, 8, 16), share_lanes(3, 4, 16), share_lanes(4, 16, 16)
    (True, True, False, False)
    """
    powers = all(n > 1 and n & (n - 1) == 0 for n in (columns, depth))
    return powers and columns <= lanes and depth <= 2 * columns
