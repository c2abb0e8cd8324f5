"""Adamax: Adam with the largest gradient in place of the root mean square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.signatures import shares
from kcompile.optimizers.betas import bias_left
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class Adamax(Optimizer):
    """m = b1 m + (1 - b1) g,  u = max(b2 u, |g|),  w -= lr m / ((1 - b1^t) (u + epsilon)).

    Source:  Kingma and Ba 2014, section 7.1.
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
        self._m, self._u = self.add_optimizer_variables(var_list, ["momentum", "norm"])

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        k = self._get_variable_index(variable)
        m = self._m[k].value
        m = m + (gradient - m) * (1 - self.beta_1)
        u = ops.maximum(self.beta_2 * self._u[k].value, ops.abs(gradient))
        self.assign(self._m[k], m)
        self.assign(self._u[k], u)
        left = bias_left(self.beta_1, self.iterations, variable.dtype)
        self.assign_sub(variable, learning_rate * m / (left * (u + self.epsilon)))
