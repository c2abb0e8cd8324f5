"""Contractions of small groups as Numba source: tiles like any other's, whose lanes read A of their group."""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.codegen.contract_cpu import BLOCK_K, ContractEmitter
from kcompile.codegen.contraction_axes import split_reduction
from kcompile.codegen.families import grouped_source, prefetch_source
from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import KernelSpec
from kcompile.core import dtypes
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Contract
from kcompile.kernels.host import host
from kcompile.schedule.contraction import AxisRole, Contraction, hint
from kcompile.schedule.lanes import Groups


def emit_grouped(kernel: Contract, aliases: Mapping[Value, Value]) -> KernelSpec:
    """The kernel of such a contraction with its epilogue."""
    return GroupedEmitter(kernel, aliases).emit()


class GroupedEmitter(ContractEmitter):
    @property
    def groups(self) -> Groups:
        groups = self.c.groups
        assert groups is not None
        return groups

    def _split_k(self) -> tuple[list[AxisRole], AxisRole, AxisRole]:
        return reduction_of(self.c)

    def _is_wide(self) -> bool:
        return is_wide(self.c)

    def _panels(self) -> int:
        panels = int(self.c.n.extent) // self.c.columns
        return max(1, panels // -(-host().cores // self.c.parts)) if self._is_wide() else 1

    def _block_rows(self) -> int:
        if not self._is_wide():
            return super()._block_rows()
        return -(-hint(self.c.m_extent) // self.c.rows) * self.c.rows

    def _micro_calls(self) -> None:
        super()._micro_calls()
        if self.panels == 1:
            return
        with self.w.block(f"for r in range(filled + {self.beyond}):"):  # on to the next panel's groups
            self.w.line(f"table[r] += {self.panel_step}")
        if self.moves:
            self.w.line(f"moved += {self.panel_step}")

    def _prefetch(self, write: bool, start: str, size: int, share: str, shares: int) -> None:
        """One of `shares` shares of the memory that begins at an address."""
        part = size // shares
        self._call(prefetch_source(write), f"{start} + {share} * {part}", part)

    @property
    def panel_step(self) -> int:
        """Bytes of A from a panel's groups to the next panel's."""
        return self.groups.depth * self.c.columns // self.groups.columns * self.item

    def _blocks_together(self) -> int:
        return 1  # each strip reads columns of A of its own

    def _a_address(self) -> None:
        super()._a_address()
        if self.c.groups is None:
            return
        step = self.groups.depth * self.item
        self.w.line(f"a0 += index_div(lane0, {self.groups.columns}) * {step}")

    def _rows(self, rows: int, columns: int) -> None:
        if self.groups.sums_depth or self.c.permuted is None:
            super()._rows(rows, columns)
            return
        w = self.w  # whole tiles, then depth by depth: no row is computed too much
        w.line("r = 0")
        with w.block("while r < filled:"):
            with w.block(f"if filled - r < {rows}:"):
                self._micro_call(self.groups.depth, columns)
            with w.block("else:"):
                self._micro_call(rows, columns)

    def _micro_source(self, rows: int, columns: int) -> KernelSource:
        groups = self.c.permuted
        if groups is None:
            return super()._micro_source(rows, columns)
        return grouped_source(rows, self.c.dtype, groups.columns, groups.depth, groups.sums_depth)


def reduction_of(c: Contraction) -> tuple[list[AxisRole], AxisRole, AxisRole]:
    """Axes of such a reduction: for the kernel's own loops, and the micro-kernel's outer and inner one."""
    inner = c.permuted is not None and c.permuted.sums_depth
    return split_reduction(c, 1 if is_wide(c) else 2 * BLOCK_K, int(inner))


def is_one_vector(c: Contraction, sums_depth: bool) -> bool:
    """Is a tile as wide as a vector? Of groups: with the depth where it is asked for."""
    if c.columns != host().lanes(c.dtype) or not isinstance(c.n.extent, int):
        return False
    return c.n.extent <= c.columns if c.groups is None else c.groups.sums_depth == sums_depth


def is_wide(c: Contraction) -> bool:
    """Does a tile take many columns, so that lines of A and B are read whole while they are near?

    That is where parts of a long reduction are tiles of their own, and few sums are kept meanwhile.
    """
    sums = hint(c.m_extent) * hint(c.n.extent) * dtypes.itemsize(c.value.dtype)
    return c.groups is not None and not c.groups.sums_depth and c.parts > 1 and sums <= host().l2 // 8
