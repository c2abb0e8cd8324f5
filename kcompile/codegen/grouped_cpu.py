"""Contractions of small groups as Numba source: tiles like any other's, whose lanes read A of their group."""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.codegen.contract_cpu import BLOCK_K, ContractEmitter
from kcompile.codegen.contraction_axes import split_reduction
from kcompile.codegen.families import grouped_source
from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import KernelSpec
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Contract
from kcompile.schedule.contraction import AxisRole
from kcompile.schedule.lanes import Groups


def emit_grouped(kernel: Contract, aliases: Mapping[Value, Value]) -> KernelSpec:
    """The kernel of such a contraction with its epilogue."""
    return _GroupedEmitter(kernel, aliases).emit()


class _GroupedEmitter(ContractEmitter):
    @property
    def groups(self) -> Groups:
        groups = self.c.groups
        assert groups is not None
        return groups

    def _split_k(self) -> tuple[list[AxisRole], AxisRole, AxisRole]:
        return split_reduction(self.c, 2 * BLOCK_K, inner=int(self.groups.sums_depth))

    def _blocks_together(self) -> int:
        return 1  # each strip reads columns of A of its own

    def _a_address(self) -> None:
        super()._a_address()
        step = self.groups.depth * self.item
        self.w.line(f"a0 += index_div(lane0, {self.groups.columns}) * {step}")

    def _rows(self, rows: int, columns: int) -> None:
        if self.groups.sums_depth:
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
        groups = self.groups
        return grouped_source(rows, self.c.dtype, groups.columns, groups.depth, groups.sums_depth)
