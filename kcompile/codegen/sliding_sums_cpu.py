"""Contractions that sum along a window, as Numba source: filter gradients of few columns, or in groups.

The innermost axis of the reduction steps through A as an axis of the rows does (the taps), so all taps share
what they read (kernels/contract/sliding_sums.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kcompile.codegen.contract_cpu import BLOCK_ROWS, STRIDED_BLOCK_K
from kcompile.codegen.families import sliding_sums_source
from kcompile.codegen.grouped_cpu import GroupedEmitter, is_one_vector, reduction_of
from kcompile.codegen.sliding_cpu import taps_apart
from kcompile.codegen.spec import KernelSpec
from kcompile.core import dtypes
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Contract
from kcompile.kernels.contract import sliding_sums
from kcompile.kernels.host import host
from kcompile.schedule.contraction import Contraction
from kcompile.schedule.roles import AxisRole


@dataclass(frozen=True)
class SlidingSums:
    """Rows are (..., tap, element): a tile has all taps of `elements` of `extent` elements."""

    taps: int
    extent: int
    elements: int
    step: int
    spread: int


def sliding_sums_of(c: Contraction) -> SlidingSums | None:
    """How taps of this contraction share what they read, if they do."""
    if c.window or c.pairs or c.transposed or not c.m or not is_one_vector(c, sums_depth=False):
        return None
    _, k1, place = reduction_of(c)
    if not isinstance(place.extent, int) or not isinstance(place.a, int) or place.a <= 0:
        return None
    if k1.extent == 1 and place.extent > STRIDED_BLOCK_K:
        return None  # it would be cut, and the last piece may be shorter than the window
    *_, tap, inner = [AxisRole((), 1, 0, 0, 0), *c.m[:-1], *taps_apart(c.m[-1], place.a)]
    if inner.a == place.a and tap.a != place.a:
        tap, inner = inner, AxisRole((), 1, 1, 0, 0)  # of one element each
    extents = tap.extent, inner.extent, tap.a
    if inner.a != 1 or not all(isinstance(n, int) for n in extents):
        return None
    if int(tap.a) <= 0 or int(tap.a) % place.a:  # a reversed image's taps go the other way
        return None
    taps, extent, spread = int(tap.extent), int(inner.extent), int(tap.a) // place.a
    elements = sliding_sums.elements_of(extent, taps, host().vector_registers)
    is_part = c.permuted is not None and elements < extent
    if not elements or is_part or (taps - 1) * spread >= place.extent:
        return None
    return SlidingSums(taps, extent, elements, place.a * dtypes.itemsize(c.dtype), spread)


def emit_sliding_sums(kernel: Contract, aliases: Mapping[Value, Value], found: SlidingSums) -> KernelSpec:
    """The kernel of such a contraction with its epilogue."""
    return _SumsEmitter(kernel, aliases, found).emit()


class _SumsEmitter(GroupedEmitter):
    def __init__(self, kernel: Contract, aliases: Mapping[Value, Value], found: SlidingSums):
        self.sliding = found
        super().__init__(kernel, aliases)

    def _block_rows(self) -> int:
        if self._is_wide():
            return super()._block_rows()
        whole = self.sliding.taps * self.sliding.extent
        return whole * max(1, BLOCK_ROWS // whole)

    def _micro_calls(self) -> None:
        if self.panels > 1 and self.k_outer and isinstance(self.k0.b, int):
            self._prefetch_next_pass(int(self.k0.extent), int(self.k0.b) * self.item)
        super()._micro_calls()

    def _prefetch_next_pass(self, places: int, b_step: int) -> None:
        """A panel's share of what the next pass reads and this one does not: of A the line behind that of the
        last rows, of B one, too.
        """
        c, s, x, step = self.c, self.s, self.sliding, self.k_outer[-1]
        self.w.line(f"panel = index_div(first - lane0, {c.columns})")
        last = f"table[filled - {x.taps * x.extent}] - panel * {self.panel_step}"
        width = (places + (x.taps - 1) * x.spread) * x.step
        self._prefetch(False, f"{last} + {s.integer(step.a * self.item)}", width, "panel", self.panels)
        b = f"b0 - panel * {c.columns * self.item} + b_k"
        self._prefetch(False, f"{b} + {s.integer(step.b * self.item)}", places * b_step, "panel", self.panels)

    def _rows(self, rows: int, columns: int) -> None:
        x, w = self.sliding, self.w
        tiles = f"for r in range(0, filled, {x.taps * x.extent}):"
        with w.block(tiles), w.block(f"for e in range(0, {x.extent}, {x.elements}):"):
            self._tile_call()

    def _tile_call(self) -> None:
        c, s, x = self.c, self.s, self.sliding
        features = c.columns if c.permuted is None else c.permuted.columns
        row = self.tile_width * self.out_item
        self._call(
            sliding_sums_source(x.elements, c.dtype, x.step, x.taps, x.spread, features),
            s.bound(self.k1.extent), "k_count", f"table[r] + e * {self.item}",
            s.integer(self.k1.a * self.item), x.step, "b0 + b_k", s.integer(self.k1.b * self.item),
            s.integer(self.k0.b * self.item), f"address(c, (r + e) * {self.tile_width} + first - lane0)",
            row, "i64(k_pass > first_pass)", x.extent * row,
        )  # fmt: skip
