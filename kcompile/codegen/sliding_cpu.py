"""Contractions whose rows are a window that slides over A, as Numba source.

Convolutions at stride 1 with few columns, and groups of them: a tile one vector wide loads a number for each
product, so where neighbouring rows read the same elements at different taps, each is loaded once for all of
them (kernels/contract/sliding.py). Only strides are looked at: one axis of the reduction steps through A in
multiples of what the innermost axis of the rows does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kcompile.codegen.contract_cpu import BLOCK_K, BLOCK_ROWS, STRIDED_BLOCK_K
from kcompile.codegen.contraction_axes import packed_strides, split_axes
from kcompile.codegen.families import sliding_source
from kcompile.codegen.grouped_cpu import GroupedEmitter, is_one_vector
from kcompile.codegen.spec import KernelSpec
from kcompile.core import dtypes, symbolic
from kcompile.core.symbolic import Atom
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Contract
from kcompile.ir.views import flat_offset
from kcompile.kernels.contract import sliding
from kcompile.kernels.host import host
from kcompile.schedule.contraction import AxisRole, Contraction, hint


@dataclass(frozen=True)
class Sliding:
    """rows: of a tile, all on one line of `width` rows. tap: the axis along which they read the same."""

    rows: int
    width: int
    step: int
    spread: int
    tap: AxisRole
    others: tuple[AxisRole, ...]


def sliding_of(c: Contraction) -> Sliding | None:
    """How rows of this contraction share what they read, if they do."""
    line = c.m[-1] if c.m else None
    if (
        c.window
        or c.pairs
        or c.transposed
        or c.parts > 1
        or not c.packed
        or not is_one_vector(c, sums_depth=True)
        or line is None
    ):
        return None
    if not isinstance(line.extent, int) or not isinstance(line.a, int) or line.a <= 0:
        return None
    axes, depth = packed_strides(list(c.k), c.columns), 1
    if c.permuted is not None:
        axes, depth = axes[:-1], c.permuted.depth
        if depth > c.permuted.columns:  # two vectors of A at each place: more than the registers hold
            return None
    axes = [part for r in axes for part in taps_apart(r, line.a)]
    tap = next((r for r in axes if _steps_along(r, line.a)), None)
    if tap is None:
        return None
    others = tuple(r for r in axes if r is not tap)
    spread = int(tap.a) // line.a
    rows = sliding.rows_of(line.extent, int(tap.extent), spread, depth, host().vector_registers)
    if rows is None or (line.extent % rows and not _is_one_pass(others)):  # no sum is added to twice
        return None
    return Sliding(rows, line.extent, line.a * dtypes.itemsize(c.dtype), spread, tap, others)


def taps_apart(r: AxisRole, line: int) -> list[AxisRole]:
    """An axis that goes through several rows of A, as the rows and what is within them."""
    if not isinstance(r.a, int) or not isinstance(r.extent, int) or not 0 < r.a < line:
        return [r]
    if line % r.a or r.extent * r.a % line or r.extent * r.a == line:
        return [r]
    within = line // r.a
    return [AxisRole((), r.extent // within, line, r.b * within, 0), AxisRole((), within, r.a, r.b, 0)]


def _steps_along(r: AxisRole, line: int) -> bool:
    if not isinstance(r.a, int) or not isinstance(r.extent, int) or r.a <= 0:
        return False
    return r.a % line == 0 and sliding.fits(r.extent, r.a // line)


def _is_one_pass(axes: tuple[AxisRole, ...]) -> bool:
    """Does one call of the micro-kernel sum up along all these axes?"""
    outer, k1, k0 = split_axes(list(axes), 2 * BLOCK_K)
    return not outer and isinstance(k0.extent, int) and (k1.extent != 1 or int(k0.extent) <= STRIDED_BLOCK_K)


def emit_sliding(kernel: Contract, aliases: Mapping[Value, Value], found: Sliding) -> KernelSpec:
    """The kernel of such a contraction with its epilogue."""
    return _SlidingEmitter(kernel, aliases, found).emit()


class _SlidingEmitter(GroupedEmitter):
    def __init__(self, kernel: Contract, aliases: Mapping[Value, Value], found: Sliding):
        self.sliding = found
        super().__init__(kernel, aliases)

    def _split_k(self) -> tuple[list[AxisRole], AxisRole, AxisRole]:
        return split_axes(list(self.sliding.others), 2 * BLOCK_K)

    def _block_rows(self) -> int:
        return self.sliding.width * max(1, BLOCK_ROWS // self.sliding.width)

    def _micro_calls(self) -> None:
        c = self.c
        strips, pitch = int(c.n.extent) // self.tile_width, c.m[-2].a if len(c.m) > 1 else 0
        result = hint(c.m_extent) * int(c.n.extent) * self.out_item
        if strips > 1 and isinstance(pitch, int) and pitch > 0 and not c.outer and result > host().l2:
            self._prefetch_next_block(pitch, strips)
        super()._micro_calls()

    def _prefetch_next_block(self, pitch: int, strips: int) -> None:
        """A strip's share of the lines that the next block of rows reads and this one does not, and of its
        results.
        """
        s, block = self.s, self._block_rows()
        reach = sum((hint(r.extent) - 1) * hint(r.a) for r in self.c.k if hint(r.a) >= pitch)
        size = block // self.sliding.width * pitch * self.item
        behind = f"table[0] - strip * {self.panel_step} + {size + reach * self.item}"
        self._prefetch(False, behind, size, "strip", strips)
        target, index, _ = self.stores[0]
        at, width = flat_offset(target, index), int(self.c.n.extent)
        if [symbolic.coefficient_of(at, axis) for axis in (self.row, self.lane)] != [width, 1]:
            return
        places: dict[Atom, str] = {self.row: f"(row0 + {block})", self.lane: "0"}
        with s.scope():
            s.axis_names |= places
            start = f"address({self.names.buffer(target)}, {s.integer(at)})"
            self._prefetch(True, start, block * width * self.out_item, "strip", strips)
        for axis in places:
            del s.axis_names[axis]

    def _rows(self, rows: int, columns: int) -> None:
        """Line by line; the last tile of a line may compute rows again."""
        w, width, rows = self.w, self.sliding.width, self.sliding.rows
        with (
            w.block(f"for line in range(0, filled, {width}):"),
            w.block(f"for at in range(0, {width}, {rows}):"),
        ):
            w.line("r = line + at" if width % rows == 0 else f"r = line + min(at, {width - rows})")
            self._tile_call(rows)

    def _tile_call(self, rows: int) -> None:
        c, s, x = self.c, self.s, self.sliding
        groups = (c.columns, 1) if c.permuted is None else (c.permuted.columns, c.permuted.depth)
        self._call(
            sliding_source(rows, c.dtype, x.step, int(x.tap.extent), x.spread, *groups),
            s.bound(self.k1.extent), "k_count", "table[r]", s.integer(self.k1.a * self.item),
            s.integer(self.k0.a * self.item), "b0 + b_k", s.integer(self.k1.b * self.item),
            s.integer(self.k0.b * self.item), f"address(c, r * {self.tile_width})",
            self.tile_width * self.out_item, "i64(k_pass > first_pass)", s.integer(x.tap.b * self.item),
        )  # fmt: skip
