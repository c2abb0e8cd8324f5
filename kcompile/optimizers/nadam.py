"""Nadam: Adam with Nesterov momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.signatures import shares
from kcompile.optimizers.betas import bias_left, complement, scalar
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class Nadam(Optimizer):
    """Adam whose momentum looks one step ahead, with b1 warmed up as b1 (1 - 0.96^t / 2).

    Source:  Dozat 2015.
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
        dtype = var_list[0].dtype if var_list else None
        super().build(var_list)
        self._momentums, self._velocities = self.add_optimizer_variables(var_list, ["momentum", "velocity"])
        self._u_product = Variable(1.0, dtype=dtype, trainable=False)

    def _warmed(self, step: Any) -> Any:
        return self.beta_1 * (1.0 - 0.5 * ops.power(scalar(0.96, str(step.dtype)), step))

    def _backend_update_step(
        self, gradients: list[Any], variables: list[Variable], learning_rate: Any
    ) -> None:
        step = ops.cast(self.iterations + 1, self._u_product.dtype)
        self._u_product.assign(self._u_product.value * self._warmed(step))
        super()._backend_update_step(gradients, variables, learning_rate)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        k = self._get_variable_index(variable)
        dtype = variable.dtype
        step = ops.cast(self.iterations + 1, dtype)
        now, ahead = self._warmed(step), self._warmed(step + 1)
        product = ops.cast(self._u_product, variable.dtype)
        m, v = self._momentums[k].value, self._velocities[k].value
        m = m + (gradient - m) * complement(self.beta_1, dtype)
        v = v + (ops.square(gradient) - v) * complement(self.beta_2, dtype)
        self.assign(self._momentums[k], m)
        self.assign(self._velocities[k], v)
        m_hat = ahead * m / (1 - product * ahead) + (1 - now) * gradient / (1 - product)
        v_hat = v / bias_left(self.beta_2, self.iterations, dtype)
        self.assign_sub(variable, m_hat * learning_rate / (ops.sqrt(v_hat) + self.epsilon))
