"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.signatures import shares
from kcompile.optimizers.betas import bias_left
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class Adam(Optimizer):
    """m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  w -= a m / (sqrt(v) + epsilon),
    where a = lr sqrt(1 - b2^t) / (1 - b1^t).

    Args:    amsgrad: use the largest v so far (Reddi et al. 2018).
    Source:  Kingma and Ba 2014; epsilon is the "epsilon hat" of its section 2.1.
    """

    settings = ("beta_1", "beta_2", "epsilon", "amsgrad")

    @shares(Optimizer.__init__)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        self._momentums, self._velocities = self.add_optimizer_variables(var_list, ["momentum", "velocity"])
        self._velocity_hats = self.add_optimizer_variables(var_list, "velocity_hat") if self.amsgrad else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        k = self._get_variable_index(variable)
        betas = (self.beta_1, self.beta_2)
        left_1, left_2 = (bias_left(beta, self.iterations, variable.dtype) for beta in betas)
        rate = learning_rate * ops.sqrt(left_2) / left_1
        m, v = self._momentums[k].value, self._velocities[k].value
        m = m + (gradient - m) * (1 - self.beta_1)
        v = v + (ops.square(gradient) - v) * (1 - self.beta_2)
        self.assign(self._momentums[k], m)
        self.assign(self._velocities[k], v)
        if self.amsgrad:
            v = ops.maximum(self._velocity_hats[k].value, v)
            self.assign(self._velocity_hats[k], v)
        self.assign_sub(variable, m * rate / (ops.sqrt(v) + self.epsilon))


class AdamW(Adam):
    """Adam with decoupled weight decay: w -= lr weight_decay w before each step (Loshchilov and Hutter 2017).

    Raises:  ValueError if weight_decay is None.
    """

    @shares(Adam.__init__)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ):
        if weight_decay is None:
            raise ValueError("Argument `weight_decay` must be a float. Received: weight_decay=None")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, **kwargs)
