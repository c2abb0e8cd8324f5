"""The contraction micro-kernel of small groups: the lanes of a vector belong to several groups, each of which
multiplies elements of A of its own.

Groups of `features` outputs lie side by side in the lanes, their `depth` elements of A side by side in
memory. So one load of A serves all groups, and its elements are permuted to the lanes of their group, once
for each element of the depth: a step multiplies without a zero, where one vector of a broadcast element would
fill `features` lanes.

The function is called as that of `kernels/contract/micro.py`, and so are its addresses and strides; the
depth, which is a stride of one element in A, is not among its loops. Where it is summed over, a step of the
loops takes `depth` rows of B, `lanes` elements each and side by side (a packed panel)::

    c[r][l] (+)= sum over i1, i0, d < depth of A(r, i1, i0, l / features * depth + d) * B(i1, i0, d, l)

Else it is the innermost axis of the rows, and addresses are read for every `depth`-th of them::

    c[r * depth + d][l] (+)= sum over i1, i0 of A(r, i1, i0, l / features * depth + d) * B(i1, i0, l)
"""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from kcompile.kernels.contract import one_vector
from kcompile.kernels.contract.micro import Progress
from kcompile.kernels.contract.one_vector import OneVector

ROWS = 8  # of a tile, whose sums take a register each
HELD = {16: 2, 32: 4}  # registers -> vectors of A in them at a time
MOST_ROWS = {16: 8, 32: 16}  # registers -> rows of a tile whose innermost axis is the depth


@dataclass(frozen=True)
class GroupedSpec:
    """A micro-kernel of groups. Its tile is rows x lanes elements.

    sums_depth: is the depth summed over? Else `rows` is a multiple of it. held: vectors of A that registers
    hold at a time.
    """

    rows: int
    lanes: int
    dtype: str
    features: int
    depth: int
    sums_depth: bool
    held: int


def rows_of(depth: int, sums_depth: bool, registers: int) -> int:
    """Rows of a tile; three depths or fewer where they are rows.

    >>> [rows_of(4, sums_depth=True, registers=32), *(rows_of(d, False, 32) for d in (2, 4, 8, 16))]
    [8, 6, 12, 16, 16]
    """
    return ROWS if sums_depth else depth * max(1, min(3, MOST_ROWS[registers] // depth))


def symbol(spec: GroupedSpec) -> str:
    """Name of the C function."""
    kind = "sum" if spec.sums_depth else "rows"
    others = (kind, spec.depth, spec.features, spec.held)
    return one_vector.symbol("micro", spec.rows, spec.lanes, spec.dtype, *others)


def build(spec: GroupedSpec) -> ir.Module:
    """A module with the one external function ``symbol(spec)``."""
    module = ir.Module(symbol(spec))
    _Grouped(module, spec).emit()
    return module


class _Grouped(OneVector):
    """Emits one micro-kernel."""

    def __init__(self, module: ir.Module, spec: GroupedSpec) -> None:
        super().__init__(module, spec.rows, spec.lanes, spec.dtype, spec.features, spec.depth)
        self.groups = spec

    def _step(self, state: Progress) -> Progress:
        tile = [list(row) for row in state.sums[0]]
        if self.groups.sums_depth:
            self._add_depth(tile, state.a, state.b)
        else:
            self._add_rows(tile, state.a, state.b)
        return Progress(self._advance(state.a), self._move(state.b, self.b_s0), [tile, *state.sums[1:]])

    def _add_depth(self, tile: list[list[ir.Value]], a: ir.Value, b: ir.Value) -> None:
        """Row after row for each element of the depth, so that no sum waits for the one before it."""
        vectors = -(-self.elements.count // self.spec.lanes)
        together = max(1, self.groups.held // vectors)
        for first in range(0, len(tile), together):
            some = slice(first, first + together)
            rows = [self._load(self._move(pointer, a), self.elements) for pointer in self.pointers[some]]
            for d in range(self.depth):
                column = self._load(self._at(b, d * self.spec.lanes * self.size), self.loaded)
                for row, elements in zip(tile[some], rows, strict=True):
                    row[0] = self._product(self._permuted(elements, d), column, row[0])

    def _add_rows(self, tile: list[list[ir.Value]], a: ir.Value, b: ir.Value) -> None:
        column = self._load(b, self.loaded)
        for first in range(0, len(tile), self.depth):
            elements = self._load(self._move(self.pointers[first], a), self.elements)
            for d, row in enumerate(tile[first : first + self.depth]):
                row[0] = self._product(self._permuted(elements, d), column, row[0])
