"""A mask over steps for ONNX's recurrent operators, which know lengths only.

A masked step changes no state, so it may as well not be there: the steps that count are moved to the front of
each row, the operator runs as many of them as there are, and its outputs are read where they belong. It holds
for every mask, be it of rows that end early or of rows with holes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.ir.types import TensorType


class MaskedSteps:
    """mask: (steps, n) bool, the name of a tensor. Tensors have their steps first, as ONNX has them."""

    def __init__(self, g: Any, mask: str) -> None:
        self.g, self.mask = g, mask
        self.steps, self.rows = g.shape(mask)
        self.counts = g.cast(mask, "int32")  # 1 for a step that counts

    def lengths(self) -> str:
        """How many steps count in each row, (n,) int32."""
        return str(self.g.reduce("ReduceSum", self.counts, [0], keepdims=False))

    def front(self, x: str) -> str:
        """x (steps, n, features) with the steps that count first, in their order."""
        count = self.g.dims((self.steps,))
        _, order = self.g.node(
            "TopK", self.counts, count, axis=0, outputs=2
        )  # of equal ones the first is first
        self.g.types[order] = TensorType((self.steps, self.rows), "int64")
        return self._gathered(x, order, self.g.shape(x)[2])

    def spread(self, y: str, first: str, units: Any, *, is_zero: bool, zeros: bool, reverse: bool) -> str:
        """Outputs (steps, n, units) of steps that were moved, back at their places.

        first: (n, units), what a row gives before its first step that counts; is_zero: it is made of zeros.
        zeros: a step that does not count gives zeros, not what the step before gave. reverse: the last step
        is the first one, so the step before is the next that counts.
        """
        held = self._next(y, first, units, is_zero) if reverse else self._previous(y, first, units)
        if not zeros:
            return held
        return str(self.g.node("Where", self._column(self.mask), held, self.g.constant(np.float32(0))))

    def _previous(self, y: str, first: str, units: Any) -> str:
        """The output of the last step that counts, up to each step."""
        done = self.g.node("CumSum", self.counts, self.g.constant(np.array(0)))
        before = self.g.node("Unsqueeze", first, self.g.constant(np.array([0])))
        return self._gathered(self.g.node("Concat", before, y, axis=0), done, units)

    def _next(self, y: str, first: str, units: Any, is_zero: bool) -> str:
        """The output of the first step that counts, from each step on.

        Behind the last one it is read from where the operator, for want of steps, has left zeros.
        """
        place = self.g.node("CumSum", self.counts, self.g.constant(np.array(0)), exclusive=1)
        self.g.types[place] = self.g.type(self.counts)
        held = self._gathered(y, place, units)
        if is_zero:
            return held
        some = self.g.node("Less", place, self.lengths())
        self.g.types[some] = self.g.type(self.mask)
        return str(self.g.node("Where", self._column(some), held, first))

    def _column(self, flags: str) -> str:
        """Flags (steps, n) for all units."""
        return str(self.g.node("Unsqueeze", flags, self.g.constant(np.array([2]))))

    def states(self, last: str, first: str, is_zero: bool) -> str:
        """The last states (n, units): the first ones in rows without a step, where ONNX gives zeros."""
        if is_zero:
            return last
        some = self.g.node("Greater", self.lengths(), self.g.constant(np.array(0, np.int32)))
        column = self.g.node("Unsqueeze", some, self.g.constant(np.array([1])))
        return str(self.g.node("Where", column, last, first))

    def _gathered(self, x: str, index: str, features: Any) -> str:
        """x[index[t, n], n, :] for every step t and row n."""
        wide = self.g.node("Unsqueeze", index, self.g.constant(np.array([2])))
        wide = self.g.node("Expand", wide, self.g.dims((1, 1, features)))
        return str(self.g.node("GatherElements", x, wide, axis=0))
