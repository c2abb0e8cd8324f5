"""Strips: several panels of a contraction's columns as one tile, where the epilogue reads much.

An optimizer's update reads and writes three matrices. Prefetchers follow whole rows of them and lose track of
a panel's.
"""

from __future__ import annotations

from collections.abc import Iterable

from kcompile.core import dtypes
from kcompile.ir.loops import Axis, Expr
from kcompile.kernels.host import host
from kcompile.schedule.contraction import Contraction, hint
from kcompile.schedule.lower import loads

STRIP_COLUMNS = 512
STRIP_K = 256  # a longer reduction hides what the epilogue waits for, and its B would not stay cached
LEAST_TILES = 8  # of a contraction, for a few threads


def panels_of_strip(c: Contraction, row: Axis, lane: Axis, results: Iterable[Expr]) -> int:
    """How many panels a tile has: more than one where the epilogue reads two elements or more a sum."""
    if c.transposed or c.groups or hint(c.k_extent) > STRIP_K:
        return 1
    read = {part for result in results for part in loads(result) if {row, lane} <= part.free_axes}
    return max(1, min(STRIP_COLUMNS, hint(c.n.extent)) // c.columns) if len(read) > 1 else 1


def rows_of_strip(c: Contraction, panels: int) -> int:
    """The rows of a tile of several panels, a multiple of the micro-kernel's; fewer where tiles lack."""
    fit = host().l1 // 2 // (panels * c.columns * dtypes.itemsize(c.value.dtype))
    return max(2, min(fit, hint(c.m_extent) // LEAST_TILES) // c.rows) * c.rows
