"""FTRL: follow the regularized leader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.signatures import shares
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class Ftrl(Optimizer):
    """Follow the regularized leader, with l1 and l2 regularization; see the source for the update.

    Raises:  ValueError for negative strengths or initial value, or a positive learning_rate_power.
    Source:  McMahan et al. 2013, algorithm 1.
    """

    settings = (
        "learning_rate_power",
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    )

    @shares(Optimizer.__init__)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Any,
    ):
        signs = {
            "initial_accumulator_value": initial_accumulator_value,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
        }
        for argument, value in signs.items():
            if value < 0.0:
                raise ValueError(f"`{argument}` needs to be positive or zero. Received: {argument}={value}.")
        if learning_rate_power > 0.0:
            raise ValueError(
                "`learning_rate_power` needs to be negative or zero. "
                f"Received: learning_rate_power={learning_rate_power}."
            )
        super().__init__(learning_rate, **kwargs)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        starts = [self.initial_accumulator_value, "zeros"]
        slots = self.add_optimizer_variables(var_list, ["accumulator", "linear"], initializer=starts)
        self._accumulators, self._linears = slots

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        k, power = self._get_variable_index(variable), -self.learning_rate_power
        accumulator, weight = self._accumulators[k].value, variable.value
        shrunk = gradient + 2 * self.l2_shrinkage_regularization_strength * weight
        total = accumulator + ops.square(gradient)
        grown = ops.power(total, power)
        sigma = (grown - ops.power(accumulator, power)) / learning_rate
        linear = self._linears[k].value + shrunk - sigma * weight
        l1 = self.l1_regularization_strength
        l2 = self.l2_regularization_strength + self.beta / (2.0 * learning_rate)
        clipped = ops.minimum(ops.maximum(linear, -l1), l1)
        new = (clipped - linear) / (grown / learning_rate + 2 * l2)
        self.assign(self._linears[k], linear)
        self.assign(self._accumulators[k], total)
        self.assign(variable, new)
