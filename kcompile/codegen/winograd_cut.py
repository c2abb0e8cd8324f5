"""How a Winograd convolution is cut into tiles: rows of squares by panels of filters.

Transformed filters are 36 / 9 of what the filters are, and every tile reads those of its panels. Where they
do not stay in the second-level cache, a tile should hold many squares; where one image then makes too few
tiles for the cores, its panels are shared out, and each share transforms the input anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from kcompile.kernels.host import host
from kcompile.kernels.winograd import POINTS
from kcompile.schedule.contraction import Contraction
from kcompile.schedule.winograd import Window

CACHE_SHARE = 0.7  # of the second-level cache, for transformed filters, inputs and products together
FLOAT = 4  # bytes
PRODUCTS = 32  # multiply-adds of a cycle
BYTES = 8  # from beyond the second-level cache, of a cycle
TRANSFORMS = 6  # cycles for a square of one channel, or of one filter's outputs
MOST_CORES = 8  # whom one image is cut for


@dataclass(frozen=True)
class Cut:
    """height: rows of squares of a tile, groups: so many tiles cover an image's rows.

    panels: panels of filters of a tile, strips: so many tiles cover them all.
    """

    height: int
    panels: int
    groups: int
    strips: int


def best_cut(window: Window, c: Contraction) -> Cut:
    """The cut that costs least: the mean of one image alone, on all cores, and of one among many."""
    panels = -(-int(c.n.extent) // c.columns)
    heights = {-(-window.tile_rows // groups): groups for groups in range(window.tile_rows, 0, -1)}
    widths = {-(-panels // strips): strips for strips in range(panels, 0, -1)}
    cuts = [Cut(h, w, heights[h], widths[w]) for h in sorted(heights) for w in sorted(widths, reverse=True)]
    return min(cuts, key=lambda cut: _cost(cut, window, c))


def _cost(cut: Cut, window: Window, c: Contraction) -> float:
    """Cycles of one core for an image, times how unevenly a single image occupies all cores."""
    tiles = cut.groups * cut.strips
    rest = window.tile_rows - (cut.groups - 1) * cut.height
    per_strip = [(cut.groups - 1, cut.height * window.tile_cols), (1, rest * window.tile_cols)]
    cycles = cut.strips * sum(n * _tile_cost(squares, cut, window, c) for n, squares in per_strip)
    cores = min(host().cores, MOST_CORES)
    return cycles * (1 + -(-tiles // cores) * cores / tiles)


def _tile_cost(squares: int, cut: Cut, window: Window, c: Contraction) -> float:
    depth, lanes = int(window.depth.extent), cut.panels * c.columns
    rows = -(-squares // c.rows) * c.rows
    filters, inputs, products = (
        POINTS * FLOAT * n for n in (depth * lanes, squares * depth, squares * lanes)
    )
    computed = POINTS * rows * depth * lanes / PRODUCTS + TRANSFORMS * squares * (depth + lanes)
    cache = CACHE_SHARE * host().l2
    stays = cut.strips == 1 and filters + inputs + products <= cache
    moved = 0 if stays else filters
    moved += 2 * (inputs + products) if inputs + products > cache else 0
    return computed + moved / BYTES
