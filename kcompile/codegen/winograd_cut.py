"""How a Winograd convolution is cut into tiles: rows of squares by panels of filters.

Transformed filters are 36 / 9 of what the filters are, and every tile reads those of its panels. Where they
do not stay in the second-level cache, a tile should hold many squares; where one image then makes too few
tiles for the cores, its panels are shared out, and each share transforms the input anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from kcompile.kernels.host import MOST_CORES, host
from kcompile.kernels.winograd import POINTS
from kcompile.schedule.contraction import Contraction
from kcompile.schedule.roles import hint
from kcompile.schedule.winograd import INPUT, OUTPUT, PRODUCTS, Window

CACHE_SHARE = 0.7  # of the second-level cache, for transformed filters, inputs and products together
FLOAT = 4  # bytes
# Measured on two cores of Zen 5 with cuts of five convolutions, each at 1 and at 32 images.
BYTES = 16  # of filters that are read again, of a cycle
BATCH = 32  # images
SEVERAL = (2, 4, 8, 16)  # images of a tile
MOST_MOVED = 2  # second-level caches that its transformed inputs and products take


@dataclass(frozen=True)
class Cut:
    """height: rows of squares of a tile, perhaps of several images. panels: panels of filters of a tile,
    strips: so many tiles cover them all.
    """

    height: int
    panels: int
    strips: int


def best_cut(window: Window, c: Contraction) -> Cut:
    """The cut that costs least per sample: one sample alone, and one of a batch, count alike."""
    panels = -(-int(c.n.extent) // c.columns)
    heights = {-(-window.tile_rows // groups) for groups in range(1, window.tile_rows + 1)}
    widths = {-(-panels // strips): strips for strips in range(panels, 0, -1)}
    cuts = [Cut(h, w, widths[w]) for h in sorted(heights) for w in sorted(widths, reverse=True)]
    if window.images:
        whole = [cut for cut in cuts if cut.height == window.tile_rows]
        cuts += [replace(cut, height=n * cut.height) for cut in whole for n in SEVERAL]
    small = [cut for cut in cuts if sum(_moved(cut, window, c)[1:]) <= MOST_MOVED * host().l2]
    return min(small or cuts[:1], key=lambda cut: _cost(cut, window, c, 1) + _cost(cut, window, c, BATCH))


def _cost(cut: Cut, window: Window, c: Contraction, images: int) -> float:
    """Cycles of one core for a sample (of one group), times how unevenly so many occupy all cores."""
    full, rest = divmod(images * window.sample_rows, cut.height)
    cycles = full * _tile_cost(cut.height * window.tile_cols, cut, window, c)
    cycles += _tile_cost(rest * window.tile_cols, cut, window, c) if rest else 0
    tiles = (full + bool(rest)) * cut.strips * prod(hint(r.extent) for r in c.outer)
    cores = min(host().cores, MOST_CORES)
    return cut.strips * cycles / images * (-(-tiles // cores) * cores / tiles)


def _tile_cost(squares: int, cut: Cut, window: Window, c: Contraction) -> float:
    depth, lanes = int(window.depth.extent), cut.panels * c.columns
    rows = -(-squares // c.rows) * c.rows
    summed = depth * window.shift_count
    computed = POINTS * rows * summed * lanes / PRODUCTS + squares * (INPUT * summed + OUTPUT * lanes)
    filters, *others = _moved(cut, window, c)
    share = CACHE_SHARE * host().l2
    stays = cut.strips == 1 and filters + sum(others) <= share
    return computed + (0 if stays else filters / BYTES) + max(0, sum(others) - share) / BYTES


def _moved(cut: Cut, window: Window, c: Contraction) -> tuple[int, int, int]:
    """Bytes of a tile's transformed filters, of its transformed inputs at one shift, and of its products."""
    depth, lanes = int(window.depth.extent), cut.panels * c.columns
    squares = cut.height * window.tile_cols
    filters = window.shift_count * depth * lanes
    return POINTS * FLOAT * filters, POINTS * FLOAT * squares * depth, POINTS * FLOAT * squares * lanes
