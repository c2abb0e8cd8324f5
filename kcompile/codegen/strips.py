"""Strips: several panels of a contraction's columns as one tile, where the epilogue reads much."""

from __future__ import annotations

from collections.abc import Iterable

from kcompile.ir.loops import Axis, Expr
from kcompile.schedule.contraction import Contraction, hint
from kcompile.schedule.lower import loads

STRIP_COLUMNS = (
    512  # of a tile whose epilogue streams: whole pages' worth of each row, as prefetchers like it
)
STRIP_BYTES = 24 << 10  # of such a tile's sums: half of the first-level cache
LEAST_TILES = 8  # of a contraction, for a few threads
STRIP_K = 256  # a longer reduction hides what the epilogue waits for, and its B would not stay cached


def panels_of_strip(c: Contraction, row: Axis, lane: Axis, results: Iterable[Expr]) -> int:
    """How many panels a tile has: more than one where the epilogue reads two elements or more for each sum
    (an optimizer's moments, say), and reads them along the panels.
    """
    if c.transposed or c.parts > 1 or hint(c.k_extent) > STRIP_K:
        return 1
    read = {part for result in results for part in loads(result) if {row, lane} <= part.free_axes}
    return max(1, min(STRIP_COLUMNS, hint(c.n.extent)) // c.columns) if len(read) > 1 else 1


def rows_of_strip(c: Contraction, panels: int, item: int) -> int:
    """The rows of a tile of several panels, a multiple of the micro-kernel's; fewer where tiles lack."""
    fit = min(STRIP_BYTES // (panels * c.columns * item), hint(c.m_extent) // LEAST_TILES)
    return max(1, fit // c.rows) * c.rows
