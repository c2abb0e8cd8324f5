"""Which contractions are convolutions at stride 1 that Winograd's F(4x4, 3x3) computes with a quarter of the
products.

Only strides are looked at. Forward and in the input's gradient, two reduced axes of extent 3 (the taps) step
through A as two output axes do; in the filters' gradient, two output axes of extent 3 step through A as two
reduced axes do. Taps that step several times as far (dilation) see every so many rows only: these are images
of their own. What other axes there are say which image a square is of, or shift the image (the taps of a
volume's third dimension), or make convolutions of their own (groups). Larger kernels are blocks of 3 x 3
taps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from kcompile.kernels.winograd import POINTS, TILE
from kcompile.schedule.roles import AxisRole, hint, merge

TAPS = 3
# Measured on two cores of Zen 5.
PRODUCTS = 32  # multiply-adds of a cycle
INPUT, OUTPUT = 30, 15  # cycles that a square takes to be transformed, for each channel, memory included
LEAST_CHANNELS = 16  # below, the transforms cost more than the products that they save
MOST_WASTE = 1.4  # computed over wanted outputs, where images are no multiple of the tile
MOST_CHANNELS = 512  # beyond, nothing has been measured
FEW_SQUARES = 8  # of an image: so few products do not pay for reading many transformed filters ...
MOST_FILTERS = 300 * 300  # ... which are those that the last cache does not hold, channels by channels
MOST_SUMS = 48 * 48  # channels by channels, for each square: sums of filter gradients are read and written


@dataclass(frozen=True)
class Window:
    """The axes of such a convolution: images, output rows and columns, kernel taps, channels of A.

    images: all axes that tell one image from another, the outermost first. dilation: rows and columns of the
    output from one of the window to the next; those between are of other images. shifts: reduced axes that
    move the images, each of which is transformed anew for every step; the last of them are the blocks of
    three rows and columns of a larger kernel. blocks: how many of them, of rows and of columns. overlap: how
    many taps of a block the one before it has, too.
    is_gradient: the filters are computed; images, rows and columns are summed over.
    """

    images: tuple[AxisRole, ...]
    rows: AxisRole
    cols: AxisRole
    row_taps: AxisRole
    col_taps: AxisRole
    depth: AxisRole
    dilation: tuple[int, int] = (1, 1)
    shifts: tuple[AxisRole, ...] = ()
    blocks: tuple[int, int] = (1, 1)
    overlap: tuple[int, int] = (0, 0)
    is_gradient: bool = False

    @property
    def tile_rows(self) -> int:
        return -(-int(self.rows.extent) // TILE)

    @property
    def tile_cols(self) -> int:
        return -(-int(self.cols.extent) // TILE)

    @property
    def sample_rows(self) -> int:
        """Rows of squares of one step of the outermost axis of images."""
        return self.tile_rows * prod(hint(r.extent) for r in self.images[1:])

    @property
    def squares(self) -> int:
        """Of a sample."""
        return self.sample_rows * self.tile_cols

    @property
    def shift_count(self) -> int:
        """How many shifted images each output is made of."""
        return prod(int(r.extent) for r in self.shifts)

    @property
    def waste(self) -> float:
        """Outputs of whole tiles by those that are wanted."""
        computed = self.tile_rows * self.tile_cols * TILE * TILE
        return computed / (int(self.rows.extent) * int(self.cols.extent))

    @property
    def is_exact(self) -> bool:
        """Do whole tiles cover the output, so that A is never read beyond its image?"""
        return int(self.rows.extent) % TILE == 0 and int(self.cols.extent) % TILE == 0


def window_of(m: list[AxisRole], lanes: AxisRole, k: list[AxisRole]) -> Window | None:
    """The window of a contraction with these roles, or None where the direct kernel is to do it."""
    depth = next((r for r in k if r.a == 1), None)
    if depth is None or lanes.y != 1 or not (lanes.b == 1 or depth.b == 1):
        return None
    window = _window([r for r in k if r is not depth], m, depth, lanes, ("a", "y"))
    if window is None:
        return None
    few = window.squares < FEW_SQUARES
    return None if few and int(depth.extent) * int(lanes.extent) > MOST_FILTERS else window


def gradient_window_of(m: list[AxisRole], lanes: AxisRole, k: list[AxisRole]) -> Window | None:
    """The same for the gradient of the filters: m holds taps and channels, k images, rows and columns."""
    depth = next((r for r in m if r.a == 1), None)
    if depth is None or lanes.y != 1 or lanes.b != 1 or hint(lanes.extent) % 4:
        return None
    window = _window([r for r in m if r is not depth], k, depth, lanes, ("a", "b"))
    if window is None:
        return None
    sums = window.shift_count * int(depth.extent) * int(lanes.extent)
    return replace(window, is_gradient=True) if sums <= MOST_SUMS * window.squares else None


def _window(
    taps: list[AxisRole], axes: list[AxisRole], depth: AxisRole, lanes: AxisRole, by: tuple[str, str]
) -> Window | None:
    """The window of two of the taps and of the two axes that step as they do, if it is worthwhile."""
    if not _is_profitable(depth, lanes):
        return None
    if any(not isinstance(tap.extent, int) for tap in taps):
        return None
    pairs = [(r, tap) for tap in taps if int(tap.extent) >= TAPS and (r := _axis_of(tap, axes)) is not None]
    pairs = sorted(pairs, key=lambda p: -hint(p[1].a))[-2:]
    found = [_in_threes(tap) for _, tap in pairs]
    if len(pairs) < 2 or pairs[0][0] is pairs[1][0] or None in found:
        return None
    given = [tap for _, tap in pairs]
    (row_taps, row_blocks), (col_taps, col_blocks) = (threes for threes in found if threes is not None)
    steps = [hint(tap.a) // hint(r.a) for r, tap in pairs]
    (rows, row_phases), (cols, col_phases) = (_by_steps(r, n) for (r, _), n in zip(pairs, steps, strict=True))
    images = [r for r in axes if all(r is not one for one, _ in pairs)]
    images = merge(sorted(images, key=lambda r: -hint(getattr(r, by[1]))), by)
    window = Window(
        (*images, *row_phases, *col_phases),
        rows,
        cols,
        row_taps,
        col_taps,
        depth,
        (steps[0], steps[1]),
        (*(tap for tap in taps if all(tap is not one for one in given)), *row_blocks, *col_blocks),
        (_count(row_blocks), _count(col_blocks)),
        (_overlap(row_taps, row_blocks), _overlap(col_taps, col_blocks)),
    )
    return window if _is_covered(window) and _saves(window, taps, lanes) else None


def _in_threes(tap: AxisRole) -> tuple[AxisRole, list[AxisRole]] | None:
    """Three taps, and the axis of such blocks, which reach from the first to the last tap in equal steps."""
    extent = int(tap.extent)
    blocks = -(-extent // TAPS)
    if blocks == 1:
        return tap, []
    step, rest = divmod(extent - TAPS, blocks - 1)
    if rest:
        return None
    return replace(tap, extent=TAPS), [
        replace(tap, extent=blocks, a=tap.a * step, b=tap.b * step, y=tap.y * step)
    ]


def _count(blocks: list[AxisRole]) -> int:
    return prod(int(r.extent) for r in blocks)


def _overlap(taps: AxisRole, blocks: list[AxisRole]) -> int:
    return sum(TAPS - hint(r.a) // hint(taps.a) for r in blocks)


def _is_covered(window: Window) -> bool:
    """Are images not small, and not badly covered by squares?"""
    return min(int(window.rows.extent), int(window.cols.extent)) >= TILE and window.waste <= MOST_WASTE


def _saves(window: Window, taps: list[AxisRole], lanes: AxisRole) -> bool:
    """Does a square take less, its transforms included, than those of its outputs that are wanted take
    directly?
    """
    depth, width = int(window.depth.extent), int(lanes.extent)
    directly = TILE * TILE * prod(int(tap.extent) for tap in taps) * depth * width / PRODUCTS
    depth *= window.shift_count
    square = POINTS * depth * width / PRODUCTS + INPUT * depth + OUTPUT * width
    return square * window.waste < directly


def _axis_of(tap: AxisRole, axes: Sequence[AxisRole]) -> AxisRole | None:
    """The axis that steps through A as the tap does, or a whole number of times as often."""
    if not isinstance(tap.a, int):
        return None
    known = [(r, r.extent, r.a) for r in axes if isinstance(r.extent, int) and isinstance(r.a, int)]
    fitting = [
        (step, r)
        for r, extent, step in known
        if 0 < step <= tap.a and tap.a % step == 0 and extent % (tap.a // step) == 0
    ]
    return max(fitting, key=lambda found: found[0])[1] if fitting else None


def _by_steps(r: AxisRole, step: int) -> tuple[AxisRole, list[AxisRole]]:
    """The axis at every `step`-th position, and the axis of where to begin."""
    if step == 1:
        return r, []
    apart = replace(r, extent=r.extent // step, a=r.a * step, b=r.b * step, y=r.y * step)
    return apart, [replace(r, extent=step)]


def _is_profitable(depth: AxisRole, lanes: AxisRole) -> bool:
    channels = (depth.extent, lanes.extent)
    return all(isinstance(c, int) and LEAST_CHANNELS <= c <= MOST_CHANNELS for c in channels)
