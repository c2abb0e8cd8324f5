"""The trace of a tape outside of all others: a graph is made, and every value in it has numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcompile.ir.graph import HAS_NUMBERS, Value
from kcompile.ir.numbers import given, numbers
from kcompile.trace.tracer import Tracer

if TYPE_CHECKING:
    from kcompile.trace.variable import Variable


class Recording(Tracer):
    """Variables are read as values that keep what they hold at that moment, and assigned at once."""

    def __init__(self) -> None:
        super().__init__()
        self.leaves: dict[Variable, Value] = {}

    def leaf(self, variable: Variable) -> Value:
        if variable not in self.leaves:
            self.leaves[variable] = given(variable.array)
        return self.leaves[variable]

    def read(self, variable: Variable) -> Value:
        held = super().read(variable)
        known = numbers(held)
        if known is not None and known.tobytes() != variable.array.tobytes():
            # A compiled step has trained it in the meantime.
            held = self.current[variable] = self.leaves[variable] = given(variable.array)
        return held

    def assign(self, variable: Variable, value: Any) -> Value:
        new = super().assign(variable, value)
        known = numbers(new)
        if new.node.standing != HAS_NUMBERS and known is not None:  # made of constants alone
            new = self.current[variable] = self.leaves[variable] = given(known)
            self.assigned[variable] = new
        variable.write(known)
        return new
