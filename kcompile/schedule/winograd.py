"""Which contractions are 3 x 3 convolutions at stride 1 that Winograd's F(4x4, 3x3) computes with a quarter
of the products.

Only strides are looked at. Forward and in the input's gradient, two reduced axes of extent 3 (the taps) step
through A as two output axes do; in the filters' gradient, two output axes of extent 3 step through A as two
reduced axes do.
"""

from __future__ import annotations

from dataclasses import dataclass

from kcompile.kernels.winograd import TILE
from kcompile.schedule.roles import AxisRole, hint, merge

TAPS = 3
LEAST_CHANNELS = 16  # below, the transforms cost more than the products that they save
MOST_WASTE = 1.4  # computed over wanted outputs, where images are no multiple of the tile
MOST_CHANNELS = 512  # beyond, nothing has been measured
FEW_SQUARES = 8  # of an image: so few products do not pay for reading many transformed filters ...
MOST_FILTERS = 300 * 300  # ... which are those that the last cache does not hold, channels by channels
MOST_SUMS = 48 * 48  # channels by channels, for each square: sums of filter gradients are read and written


@dataclass(frozen=True)
class Window:
    """The axes of such a convolution: images, output rows and columns, kernel taps, channels of A.

    is_gradient: the filters are computed; images, rows and columns are summed over.
    """

    images: AxisRole | None
    rows: AxisRole
    cols: AxisRole
    row_taps: AxisRole
    col_taps: AxisRole
    depth: AxisRole
    is_gradient: bool = False

    @property
    def tile_rows(self) -> int:
        return -(-int(self.rows.extent) // TILE)

    @property
    def tile_cols(self) -> int:
        return -(-int(self.cols.extent) // TILE)

    @property
    def squares(self) -> int:
        """Of an image."""
        return self.tile_rows * self.tile_cols

    @property
    def is_exact(self) -> bool:
        """Do whole tiles cover the output, so that A is never read beyond its image?"""
        return int(self.rows.extent) % TILE == 0 and int(self.cols.extent) % TILE == 0


def window_of(m: list[AxisRole], lanes: AxisRole, k: list[AxisRole]) -> Window | None:
    """The window of a contraction with these roles, or None where the direct kernel is to do it."""
    depth = next((r for r in k if r.a == 1), None)
    taps = [r for r in k if r is not depth]
    if depth is None or len(taps) != 2 or any(r.extent != TAPS for r in taps) or lanes.y != 1:
        return None
    if not (lanes.b == 1 or depth.b == 1) or not _is_profitable(depth, lanes):
        return None
    pairs = _pairs(taps, m)
    if pairs is None:
        return None
    (rows, row_taps), (cols, col_taps) = sorted(pairs, key=lambda p: -hint(p[0].y))
    rest = merge(
        sorted((r for r in m if r is not rows and r is not cols), key=lambda r: -hint(r.y)), ("a", "y")
    )
    if len(rest) > 1 or cols.y != lanes.extent or rows.y != cols.extent * cols.y:
        return None
    if rest and rest[0].y != rows.extent * rows.y:
        return None
    window = _worthwhile(Window(rest[0] if rest else None, rows, cols, row_taps, col_taps, depth))
    few = window is not None and window.squares < FEW_SQUARES
    return None if few and int(depth.extent) * int(lanes.extent) > MOST_FILTERS else window


def gradient_window_of(m: list[AxisRole], lanes: AxisRole, k: list[AxisRole]) -> Window | None:
    """The same for the gradient of the filters: m holds taps and channels, k images, rows and columns."""
    depth = next((r for r in m if r.a == 1), None)
    taps = [r for r in m if r is not depth]
    if depth is None or len(taps) != 2 or any(r.extent != TAPS for r in taps) or lanes.y != 1 or lanes.b != 1:
        return None
    pairs = _pairs(taps, k)
    if pairs is None or not _is_profitable(depth, lanes) or depth.y != lanes.extent:
        return None
    (rows, row_taps), (cols, col_taps) = sorted(pairs, key=lambda p: -hint(p[1].y))
    rest = merge(
        sorted((r for r in k if r is not rows and r is not cols), key=lambda r: -hint(r.a)), ("a", "b")
    )
    if len(rest) > 1 or lanes.extent % 4:
        return None
    window = _worthwhile(
        Window(rest[0] if rest else None, rows, cols, row_taps, col_taps, depth, is_gradient=True)
    )
    pays = window is not None and int(depth.extent) * int(lanes.extent) <= MOST_SUMS * window.squares
    return window if pays else None


def _pairs(taps: list[AxisRole], axes: list[AxisRole]) -> list[tuple[AxisRole, AxisRole]] | None:
    """Each tap with the axis that steps through A as it does."""
    found = [
        (next((r for r in axes if r.a == tap.a and isinstance(r.extent, int)), None), tap) for tap in taps
    ]
    if any(r is None for r, _ in found) or found[0][0] is found[1][0]:
        return None
    return [(r, tap) for r, tap in found if r is not None]


def _worthwhile(window: Window) -> Window | None:
    """The window, unless its images are small or badly covered by squares."""
    rows, cols = int(window.rows.extent), int(window.cols.extent)
    computed = window.tile_rows * window.tile_cols * TILE * TILE
    return window if min(rows, cols) >= TILE and computed <= MOST_WASTE * rows * cols else None


def _is_profitable(depth: AxisRole, lanes: AxisRole) -> bool:
    channels = (depth.extent, lanes.extent)
    return all(isinstance(c, int) and LEAST_CHANNELS <= c <= MOST_CHANNELS for c in channels)
