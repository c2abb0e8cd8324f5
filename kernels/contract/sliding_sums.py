"""The contraction micro-kernel of sums along a window: taps that slide over A share what they read.

Rows of the tile are (tap, element). A step of the reduction moves through A as far as a tap does, or `spread`
steps do, so what one tap multiplies at a step, the tap before does `spread` steps later. An element that is
broadcast (or permuted, kernels/contract/grouped.py) once is multiplied with what B has for all of these
steps: a convolution's filter gradient, where kernels/contract/sliding.py is the convolution.

The external C function ``symbol(spec)`` takes int64 only, addresses and strides in BYTES; k0 is at least
(taps - 1) * spread::

    void f(k1, k0, row, a_s1, a_s0, b, b_s1, b_s0, c, ldc, accumulate, c_tap)

    c[t * c_tap + e * ldc][l] (+)= sum over i1 < k1, i0 < k0 of
        A(row + i1*a_s1 + (i0 + t * spread) * step + (l / features * elements + e) * item)
        * B(b + i1*b_s1 + i0*b_s0 + l * item)

a_s0 is `step` and not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llvmlite import ir

from kcompile.kernels.contract import one_vector
from kcompile.kernels.contract.micro import ARGUMENTS, I64, Progress
from kcompile.kernels.contract.one_vector import Window

MOST_SUMS = {16: 12, 32: 24}  # registers -> rows of a tile, beside rows of B for all taps
MOST_TAPS = 5


@dataclass(frozen=True)
class SumSpec:
    """A micro-kernel. Its tile is (taps x elements) x lanes.

    step: bytes in A. features: of a group of lanes, which is `elements` deep where there are several.
    """

    elements: int
    lanes: int
    dtype: str
    step: int
    taps: int
    spread: int
    features: int

    @property
    def apart(self) -> int:
        """Steps from the first tap that reads an element to the last."""
        return (self.taps - 1) * self.spread


def elements_of(extent: int, taps: int, registers: int) -> int:
    """How many of `extent` elements a tile takes: as many as registers hold sums of, without a rest; 0: none.

    >>> elements_of(8, 3, 32), elements_of(32, 3, 32), elements_of(3, 3, 16), elements_of(8, 3, 16)
    (8, 8, 3, 4)
    """
    if not 2 <= taps <= MOST_TAPS:
        return 0
    return max(
        (n for n in range(1, extent + 1) if extent % n == 0 and n * taps <= MOST_SUMS[registers]), default=0
    )


def symbol(spec: SumSpec) -> str:
    """Name of the C function."""
    others = (spec.taps, spec.spread, spec.step, spec.features)
    return one_vector.symbol("sums", spec.taps * spec.elements, spec.lanes, spec.dtype, *others)


def build(spec: SumSpec) -> ir.Module:
    """A module with the one external function ``symbol(spec)``."""
    module = ir.Module(symbol(spec))
    _Sums(module, spec).emit()
    return module


class _Sums(Window):
    """Emits one micro-kernel."""

    arguments = (*ARGUMENTS, "c_tap")

    def __init__(self, module: ir.Module, spec: SumSpec) -> None:
        rows = spec.taps * spec.elements
        super().__init__(module, rows, spec.lanes, spec.dtype, spec.features, spec.elements)
        self.window = spec
        (self.c_tap,) = self.others
        # What B has for the tap: so many bytes before the first tap's.
        self.behind = [self.build.mul(self.b_s0, I64(-t * spec.spread)) for t in range(spec.taps)]

    def _outer_step(self, state: Progress) -> Progress:
        """At the first and the last steps not every tap has a product."""
        taps, spread, apart = range(self.window.taps), self.window.spread, self.window.apart
        inner = state
        for q in range(apart):
            inner = self._place(inner, [t for t in taps if t * spread <= q])
        whole = self.build.sub(self.k0, I64(apart))
        inner = self._loop("step", whole, 1, inner, lambda s: self._place(s, taps))
        for q in range(apart):
            inner = self._place(inner, [t for t in taps if t * spread > q])
        return Progress(self.build.add(state.a, self.a_s1), self._move(state.b, self.b_s1), inner.sums)

    def _place(self, state: Progress, taps: Sequence[int]) -> Progress:
        """The products of the elements at a place of A."""
        spec, (first,) = self.window, state.sums[:1]
        tile = [list(row) for row in first]
        place = self._move(self.pointers[0], state.a)
        columns = {t: self._load(self._move(state.b, self.behind[t]), self.loaded) for t in taps}
        for e in range(spec.elements):
            x = self._element(place, e)
            for t, column in columns.items():
                row = tile[t * spec.elements + e]
                row[0] = self._product(x, column, row[0])
        a = self.build.add(state.a, I64(spec.step))
        return Progress(a, self._move(state.b, self.b_s0), [tile, *state.sums[1:]])

    def _store_rows(self, tile, value) -> None:  # type: ignore[no-untyped-def]
        spec, tap = self.window, self._pointer(self.c)
        for t in range(spec.taps):
            row = tap
            for (v,) in tile[t * spec.elements : (t + 1) * spec.elements]:
                self.build.store(value(row, v), row, align=self.size)
                row = self._move(row, self.ldc)
            tap = self._move(tap, self.c_tap)
