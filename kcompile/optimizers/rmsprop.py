"""RMSprop: steps scaled by a moving root mean square of the gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.signatures import shares
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class RMSprop(Optimizer):
    """v = rho v + (1 - rho) g^2,  w -= lr g / sqrt(v + epsilon).

    Args:    momentum: m = momentum m + step, w -= m. centered: subtract the mean gradient's square from v.
    Source:  Hinton, lecture 6e; Graves 2013 for the centred form.
    """

    settings = ("rho", "momentum", "epsilon", "centered")

    @shares(Optimizer.__init__)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        self._velocities = self.add_optimizer_variables(var_list, "velocity")
        self._momentums = self.add_optimizer_variables(var_list, "momentum") if self.momentum > 0 else []
        self._means = self.add_optimizer_variables(var_list, "average_gradient") if self.centered else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        k, rho = self._get_variable_index(variable), self.rho
        velocity = rho * self._velocities[k].value + (1 - rho) * ops.square(gradient)
        self.assign(self._velocities[k], velocity)
        if self.centered:
            mean = rho * self._means[k].value + (1 - rho) * gradient
            self.assign(self._means[k], mean)
            velocity = velocity - ops.square(mean)
        step = learning_rate * gradient / ops.sqrt(velocity + self.epsilon)
        if self.momentum > 0:
            step = self.momentum * self._momentums[k].value + step
            self.assign(self._momentums[k], step)
        self.assign_sub(variable, step)
