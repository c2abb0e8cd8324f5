"""Which contractions are 3 x 3 convolutions at stride 1 that Winograd's F(4x4, 3x3) computes with a quarter of the products.

Only strides are looked at: two reduced axes of extent 3 that step through A as two output axes do. A layer's forward pass and
the gradient of its input are both of this form.
"""

from __future__ import annotations

from dataclasses import dataclass

from kcompile.core.symbolic import product
from kcompile.kernels.winograd import TILE
from kcompile.schedule.roles import AxisRole, hint, merge

TAPS = 3
LEAST_CHANNELS = 16  # below, the transforms cost more than the products that they save
MOST_WASTE = 1.4  # computed over wanted outputs, where images are no multiple of the tile
MOST_CHANNELS = 512  # transformed filters of more do not stay in the second-level cache


@dataclass(frozen=True)
class Window:
    """The axes of such a convolution: images, output rows and columns, kernel taps, channels of A."""

    images: AxisRole | None
    rows: AxisRole
    cols: AxisRole
    row_taps: AxisRole
    col_taps: AxisRole
    depth: AxisRole

    @property
    def tile_rows(self) -> int:
        return -(-int(self.rows.extent) // TILE)  # type: ignore[arg-type]

    @property
    def tile_cols(self) -> int:
        return -(-int(self.cols.extent) // TILE)  # type: ignore[arg-type]

    @property
    def is_exact(self) -> bool:
        """Do whole tiles cover the output, so that A is never read beyond its image?"""
        return int(self.rows.extent) % TILE == 0 and int(self.cols.extent) % TILE == 0  # type: ignore[arg-type]


def window_of(m: list[AxisRole], lanes: AxisRole, k: list[AxisRole]) -> Window | None:
    """The window of a contraction with these roles, or None where the direct kernel is to do it."""
    depth = next((r for r in k if r.a == 1), None)
    taps = [r for r in k if r is not depth]
    if depth is None or len(taps) != 2 or any(r.extent != TAPS for r in taps) or lanes.y != 1:
        return None
    if not (lanes.b == 1 or depth.b == 1) or not _is_profitable(depth, lanes):
        return None
    pairs = [next((r for r in m if r.a == tap.a and isinstance(r.extent, int)), None) for tap in taps]
    if pairs[0] is None or pairs[1] is None or pairs[0] is pairs[1]:
        return None
    (rows, row_taps), (cols, col_taps) = sorted(zip(pairs, taps, strict=True), key=lambda p: -hint(p[0].y))  # type: ignore[union-attr]
    assert rows is not None and cols is not None
    rest = merge(sorted((r for r in m if r is not rows and r is not cols), key=lambda r: -hint(r.y)), ("a", "y"))
    images = rest[0] if rest else None
    if len(rest) > 1 or cols.y != lanes.extent or rows.y != cols.extent * cols.y:
        return None
    if images is not None and images.y != rows.extent * rows.y:
        return None
    window = Window(images, rows, cols, row_taps, col_taps, depth)
    computed = window.tile_rows * window.tile_cols * TILE * TILE
    wanted = product((rows.extent, cols.extent))
    return window if min(rows.extent, cols.extent) >= TILE and computed <= MOST_WASTE * wanted else None  # type: ignore[type-var,operator]


def _is_profitable(depth: AxisRole, lanes: AxisRole) -> bool:
    channels = (depth.extent, lanes.extent)
    return all(isinstance(c, int) and LEAST_CHANNELS <= c <= MOST_CHANNELS for c in channels)
