"""What micro-kernels one vector wide have in common, whose lanes may belong to several groups."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from kcompile.kernels.contract.micro import I32, I64, Micro, MicroSpec, Progress
from kcompile.kernels.contract.micro import symbol as tile_symbol


def symbol(family: str, rows: int, lanes: int, dtype: str, *others: Any) -> str:
    """Name of the C function of a tile of rows x lanes elements."""
    tile = tile_symbol(MicroSpec(rows, 1, lanes, dtype, unit_k=False)).replace("micro", family)
    return "_".join(map(str, (tile, *others)))


class OneVector(Micro):
    """Emits one micro-kernel.

    features: lanes of a group. depth: its elements of A, side by side. Where all lanes are one group, one
    element is broadcast at a time.
    """

    def __init__(
        self, module: ir.Module, rows: int, lanes: int, dtype: str, features: int, depth: int
    ) -> None:
        super().__init__(module, MicroSpec(rows, 1, lanes, dtype, unit_k=False))
        self.features, self.depth = features, depth
        self.elements = ir.VectorType(self.item, lanes // features * depth)

    def _outer_step(self, state: Progress) -> Progress:
        # Not unrolled: a step has many products, and LLVM would load ahead what registers do not hold.
        inner = self._loop("step", self.k0, 1, state, self._step)
        return Progress(self.build.add(state.a, self.a_s1), self._move(state.b, self.b_s1), inner.sums)

    def _step(self, state: Progress) -> Progress:
        """A step of the reduction."""
        raise NotImplementedError

    def _element(self, place: ir.Value, d: int) -> ir.Value:
        """What each lane multiplies: element d of its group, of those at a place."""
        if self.features == self.spec.lanes:
            return self._broadcast(self._load(self._move(place, I64(d * self.size)), self.operand))
        return self._permuted(self._load(place, self.elements), d)

    def _permuted(self, elements: ir.Value, d: int) -> ir.Value:
        """Element d of its group in each lane."""
        lanes = [lane // self.features * self.depth + d for lane in range(self.spec.lanes)]
        mask = ir.Constant(ir.VectorType(I32, self.spec.lanes), lanes)
        return self.build.shuffle_vector(elements, ir.Constant(self.elements, ir.Undefined), mask)


class Window(OneVector):
    """Emits one micro-kernel of places at equal distances in A: it gets the address of the first."""

    def _row_pointers(self) -> list[ir.Value]:
        return [self._pointer(self.rows)]
