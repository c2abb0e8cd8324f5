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

from kcompile.kernels.contract.micro import I32, Micro, MicroSpec, Progress
from kcompile.kernels.contract.micro import symbol as tile_symbol

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

    @property
    def tile(self) -> MicroSpec:
        """The tile of accumulators, as that of the usual micro-kernel."""
        return MicroSpec(self.rows, 1, self.lanes, self.dtype, unit_k=False)


def fits(lanes: int, features: int, depth: int) -> bool:
    """Does a vector hold whole groups, more than one, and do few vectors hold their elements of A?

    >>> fits(16, 4, 4), fits(16, 8, 16), fits(16, 3, 4), fits(4, 4, 4)
    (True, True, False, False)
    """
    powers = all(n > 1 and n & (n - 1) == 0 for n in (features, depth))
    return powers and features < lanes and depth <= 2 * features


def rows_of(depth: int, sums_depth: bool, registers: int) -> int:
    """Rows of a tile; three depths or fewer where they are rows.

    >>> [rows_of(4, sums_depth=True, registers=32), *(rows_of(d, False, 32) for d in (2, 4, 8, 16))]
    [8, 6, 12, 16, 16]
    """
    return ROWS if sums_depth else depth * max(1, min(3, MOST_ROWS[registers] // depth))


def symbol(spec: GroupedSpec) -> str:
    """Name of the C function."""
    kind = "sum" if spec.sums_depth else "rows"
    return f"{tile_symbol(spec.tile)}_{kind}_{spec.depth}_{spec.features}_{spec.held}"


def build(spec: GroupedSpec) -> ir.Module:
    """A module with the one external function ``symbol(spec)``."""
    module = ir.Module(symbol(spec))
    _Grouped(module, spec).emit()
    return module


class _Grouped(Micro):
    """Emits one micro-kernel."""

    def __init__(self, module: ir.Module, spec: GroupedSpec) -> None:
        super().__init__(module, spec.tile)
        self.groups = spec
        groups = spec.lanes // spec.features
        self.elements = ir.VectorType(self.item, groups * spec.depth)
        self.lanes_of = [
            ir.Constant(
                ir.VectorType(I32, spec.lanes),
                [lane // spec.features * spec.depth + d for lane in range(spec.lanes)],
            )
            for d in range(spec.depth)
        ]

    def _outer_step(self, state: Progress) -> Progress:
        # Not unrolled: a step has many products, and LLVM would load ahead what registers do not hold.
        inner = self._loop("step", self.k0, 1, state, lambda s: self._steps(s, 1))
        return Progress(self.build.add(state.a, self.a_s1), self._move(state.b, self.b_s1), inner.sums)

    def _steps(self, state: Progress, count: int) -> Progress:
        """`count` steps of the reduction; step u adds to tile u modulo the number of sets."""
        a, b, sums = state.a, state.b, [[list(row) for row in tile] for tile in state.sums]
        for u in range(count):
            tile = sums[u % self.spec.sets]
            if self.groups.sums_depth:
                self._add_depth(tile, a, b)
            else:
                self._add_rows(tile, a, b)
            a, b = self._advance(a), self._move(b, self.b_s0)
        return Progress(a, b, sums)

    def _add_depth(self, tile: list[list[ir.Value]], a: ir.Value, b: ir.Value) -> None:
        """Row after row for each element of the depth, so that no sum waits for the one before it."""
        vectors = -(-self.elements.count // self.spec.lanes)
        together = max(1, self.groups.held // vectors)
        for first in range(0, len(tile), together):
            some = slice(first, first + together)
            rows = [self._load(self._move(pointer, a), self.elements) for pointer in self.pointers[some]]
            for d, lanes in enumerate(self.lanes_of):
                column = self._load(self._at(b, d * self.spec.lanes * self.size), self.loaded)
                for row, elements in zip(tile[some], rows, strict=True):
                    row[0] = self._product(self._permuted(elements, lanes), column, row[0])

    def _add_rows(self, tile: list[list[ir.Value]], a: ir.Value, b: ir.Value) -> None:
        depth, column = self.groups.depth, self._load(b, self.loaded)
        for first in range(0, len(tile), depth):
            elements = self._load(self._move(self.pointers[first], a), self.elements)
            for row, lanes in zip(tile[first : first + depth], self.lanes_of, strict=True):
                row[0] = self._product(self._permuted(elements, lanes), column, row[0])

    def _permuted(self, elements: ir.Value, lanes: ir.Constant) -> ir.Value:
        return self.build.shuffle_vector(elements, ir.Constant(self.elements, ir.Undefined), lanes)
