"""Adagrad: steps shrink with the squares that a parameter has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.signatures import shares
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class Adagrad(Optimizer):
    """a += g^2,  w -= lr g / sqrt(a + epsilon); a begins at initial_accumulator_value (Duchi et al. 2011)."""

    settings = ("initial_accumulator_value", "epsilon")

    @shares(Optimizer.__init__)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        first = self.initial_accumulator_value
        self._accumulators = self.add_optimizer_variables(var_list, "accumulator", initializer=first)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        slot = self._accumulators[self._get_variable_index(variable)]
        squares = slot.value + ops.square(gradient)
        self.assign(slot, squares)
        self.assign_sub(variable, learning_rate * gradient / ops.sqrt(squares + self.epsilon))
