"""Lamb: Adam's step, scaled for each variable by its own norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.signatures import shares
from kcompile.optimizers.betas import bias_left
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class Lamb(Optimizer):
    """m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,
    u = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon),
    w -= lr (|w| / |u|) u, with a ratio of 1 where a norm is 0.

    Source:  You et al. 2020.
    """

    settings = ("beta_1", "beta_2", "epsilon")

    @shares(Optimizer.__init__)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        self._momentums, self._velocities = self.add_optimizer_variables(var_list, ["momentum", "velocity"])

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        k = self._get_variable_index(variable)
        betas = (self.beta_1, self.beta_2)
        left_1, left_2 = (bias_left(beta, self.iterations, variable.dtype) for beta in betas)
        m, v = self._momentums[k].value, self._velocities[k].value
        m = m + (gradient - m) * (1 - self.beta_1)
        v = v + (ops.square(gradient) - v) * (1 - self.beta_2)
        self.assign(self._momentums[k], m)
        self.assign(self._velocities[k], v)
        update = m / left_1 / (ops.sqrt(v / left_2) + self.epsilon)
        length, change = _norm(variable.value), _norm(update)
        both = ops.logical_and(ops.greater(length, 0), ops.greater(change, 0))
        ratio = ops.where(both, length / ops.where(both, change, 1), 1)
        self.assign_sub(variable, update * (ratio * learning_rate))


def _norm(x: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(x)))
