"""The contraction micro-kernel of a window that slides over A: neighbouring rows share what they read.

Rows of a tile lie at equal distances in A, and a step of the window, one of `taps`, is `spread` of these
distances. So row r reads at tap t what row r + spread reads at the tap before, and an element that is
broadcast (or permuted, kernels/contract/grouped.py) once serves up to `taps` rows. Where a tile is one vector
wide the usual micro-kernel loads one number for each product; this one is bound by its products.

The external C function ``symbol(spec)`` takes int64 only, addresses and strides in BYTES::

    void f(k1, k0, row, a_s1, a_s0, b, b_s1, b_s0, c, ldc, accumulate, b_tap)

    c[r][l] (+)= sum over i1 < k1, i0 < k0, t < taps, d < depth of
                 A(row + (r + t * spread) * step + i1*a_s1 + i0*a_s0 + (l / features * depth + d) * item)
                 * B(b + t*b_tap + i1*b_s1 + i0*b_s0 + (d * lanes + l) * item)
"""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from kcompile.kernels.contract import one_vector
from kcompile.kernels.contract.micro import ARGUMENTS, I32, POINTER, Progress
from kcompile.kernels.contract.one_vector import Window

MOST_TAPS = 5
MOST_APART = 4  # rows from the first that reads an element to the last
LEAST_ROWS = 6  # each waits for its sum before, which takes as long as the other rows'
MOST_ROWS = {16: 9, 32: 16}  # registers -> rows of a tile, beside rows of B for all taps


@dataclass(frozen=True)
class SlidingSpec:
    """A micro-kernel of windows. Its tile is rows x lanes elements.

    step: bytes in A from a row to the next. features, depth: of a group of lanes. Where all lanes are one
    group, its elements of A are steps of the loops: depth is 1.
    """

    rows: int
    lanes: int
    dtype: str
    step: int
    taps: int
    spread: int
    features: int
    depth: int


def fits(taps: int, spread: int) -> bool:
    """Do neighbouring rows share enough?"""
    return 2 <= taps <= MOST_TAPS and spread * (taps - 1) <= MOST_APART


def rows_of(width: int, taps: int, spread: int, depth: int, registers: int) -> int | None:
    """Rows of a tile on lines of `width` rows: those that take least time, or None where lines are too short.

    >>> [rows_of(width, 3, 1, 1, 32) for width in (4, 7, 28, 32, 56, 224)]
    [None, 7, 14, 16, 14, 16]
    """
    most = MOST_ROWS[registers] if depth == 1 else MOST_ROWS[registers] - 2

    def cost(rows: int) -> float:
        elements = (rows + (taps - 1) * spread) * (0.5 if depth == 1 else 1.5)
        return -(-width // rows) * (rows * taps + elements)

    return min(range(LEAST_ROWS, min(width, most) + 1), key=cost, default=None)


def symbol(spec: SlidingSpec) -> str:
    """Name of the C function."""
    others = (spec.taps, spec.spread, spec.step, spec.depth, spec.features)
    return one_vector.symbol("window", spec.rows, spec.lanes, spec.dtype, *others)


def build(spec: SlidingSpec) -> ir.Module:
    """A module with the one external function ``symbol(spec)``."""
    module = ir.Module(symbol(spec))
    _Sliding(module, spec).emit()
    return module


class _Sliding(Window):
    """Emits one micro-kernel."""

    arguments = (*ARGUMENTS, "b_tap")

    def __init__(self, module: ir.Module, spec: SlidingSpec) -> None:
        super().__init__(module, spec.rows, spec.lanes, spec.dtype, spec.features, spec.depth)
        self.window = spec
        (self.b_tap,) = self.others
        self.places = spec.rows + (spec.taps - 1) * spec.spread  # in A, a step apart
        kind = ir.FunctionType(ir.VoidType(), [POINTER, *[I32] * 3])
        self.ahead = ir.Function(module, kind, "llvm.prefetch.p0")

    def _outer_step(self, state: Progress) -> Progress:
        """What the next tile reads is fetched meanwhile."""
        here = self._move(self.pointers[0], state.a)
        for place in range(self.places, self.places + self.spec.rows):
            self.build.call(self.ahead, [self._at(here, place * self.window.step), I32(0), I32(3), I32(1)])
        return super()._outer_step(state)

    def _step(self, state: Progress) -> Progress:
        spec, size = self.window, self.size
        tile = [list(row) for row in state.sums[0]]
        first = self._move(self.pointers[0], state.a)
        taps = [state.b]
        for _ in range(spec.taps - 1):
            taps.append(self._move(taps[-1], self.b_tap))
        hidden = ir.FunctionType(POINTER, [POINTER])
        for d in range(spec.depth):
            if d:  # else LLVM would keep what it has loaded, in more registers than there are
                first = self.build.asm(hidden, "", "=r,0", [first], side_effect=False)
            columns = [self._load(self._at(tap, d * spec.lanes * size), self.loaded) for tap in taps]
            for place in range(self.places):
                x = self._element(self._at(first, place * spec.step), d)
                for t, column in enumerate(columns):
                    row = place - t * spec.spread
                    if 0 <= row < spec.rows:
                        tile[row][0] = self._product(x, column, tile[row][0])
        return Progress(self._advance(state.a), self._move(state.b, self.b_s0), [tile, *state.sums[1:]])
