"""The trace of a tape outside of all others: a graph is made, and every value in it has numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.core.collection import paused_collection
from kcompile.ir.graph import HAS_NUMBERS, Value
from kcompile.ir.numbers import given, numbers
from kcompile.ir.op import constant, unwrap
from kcompile.trace.tracer import Tracer
from kcompile.trace.variable import Variable, writes


class Recording(Tracer):
    """Variables are read as values that keep what they hold at that moment, and assigned at once."""

    def __init__(self) -> None:
        super().__init__()
        self.leaves: dict[Variable, Value] = {}
        self._compared: dict[Variable, int] = {}  # with memory, at so many writes of any variable

    def leaf(self, variable: Variable) -> Value:
        if variable not in self.leaves:
            self.leaves[variable] = given(variable.array)
        return self.leaves[variable]

    def read(self, variable: Variable) -> Value:
        held = super().read(variable)
        if self._compared.get(variable) == writes.count:
            return held
        known = numbers(held)
        if known is not None and known.tobytes() != variable.array.tobytes():
            # A compiled step has trained it in the meantime.
            held = self.current[variable] = self.leaves[variable] = given(variable.array)
        self._compared[variable] = writes.count
        return held

    def assign(self, variable: Variable, value: Any) -> Value:
        new = super().assign(variable, value)
        known = numbers(new)
        if new.node.standing != HAS_NUMBERS and known is not None:  # made of constants alone
            new = self.current[variable] = self.leaves[variable] = given(known)
            self.assigned[variable] = new
        variable.write(known)
        return new


def recorded(function: Callable[[Any], Any], data: Any) -> tuple[Any, set[Variable]]:
    """function(data) outside of any trace, with gradients of whatever it computes: the result as arrays, and
    the variables that it assigned.
    """
    with paused_collection(), Recording() as scope:
        result = function(tree.map_structure(_given, data))
        arrays = tree.map_structure(lambda x: x if x is None else _array(x), result)
    return arrays, set(scope.assigned)


def _given(array: Any) -> Value | None:
    if array is None:
        return None
    array = np.asarray(array)
    return given(array.astype(dtypes.numpy_dtype(dtypes.standardize(array.dtype))))


def _array(x: Any) -> np.ndarray:
    return np.array(numbers(constant(unwrap(x))))
