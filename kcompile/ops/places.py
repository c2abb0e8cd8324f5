"""Indices of any dtype as positions: in int64, where no extent and no row number wraps around."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kcompile.core import dtypes
from kcompile.core.symbolic import Int
from kcompile.ops import elementwise as ew


def placed(indices: Any, extent: int | Int) -> tuple[Any, Any]:
    """The positions that indices stand for, negative ones counted from the end, and whether they are there.

    >>> import numpy as np
    >>> [x.tolist() for x in placed(np.array([200, -1, -301], "int16"), 300)]
    [[200, 299, -1], [True, True, False]]
    """
    signed = ew.common_dtype(indices) in dtypes.SIGNED  # what is unsigned and too large for int64 is negative
    at, end = ew.cast(indices, "int64"), ew.as_tensor(extent, "int64")
    if signed:
        at = ew.where(ew.less(at, 0), ew.add(at, end), at)
    return at, ew.logical_and(ew.greater_equal(at, 0), ew.less(at, end))


def joined(arrays: Iterable[Any], extents: Iterable[int | Int]) -> tuple[Any, Any]:
    """Indices into several dimensions as ones into all of these as one, and whether each is inside of its
    own: outside of it, it would find another row's element.
    """
    at: Any = 0
    inside: Any = True
    for indices, d in zip(arrays, extents, strict=True):
        position, there = placed(indices, d)
        at = ew.add(ew.multiply(at, ew.as_tensor(d, "int64")), position)
        inside = there if inside is True else ew.logical_and(inside, there)
    return at, inside
