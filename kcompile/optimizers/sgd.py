"""Gradient descent, with momentum and Nesterov's variant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile.core.signatures import shares
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class SGD(Optimizer):
    """Gradient descent: w -= lr g; with momentum v = momentum v - lr g, w += v.

    Args:    nesterov: w += momentum v - lr g, with the new v.
    Raises:  ValueError unless momentum is a float in [0, 1].
    """

    settings = ("momentum", "nesterov")

    @shares(Optimizer.__init__)
    def __init__(
        self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any
    ):
        if not isinstance(momentum, float) or momentum < 0 or momentum > 1:
            raise ValueError(f"`momentum` must be a float between [0, 1]. Received: momentum={momentum}")
        super().__init__(learning_rate, **kwargs)
        self.momentum, self.nesterov = momentum, nesterov

    def build(self, variables: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum != 0 else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        step = gradient * learning_rate
        if self.momentum == 0:
            self.assign_sub(variable, step)
            return
        slot = self.momentums[self._get_variable_index(variable)]
        velocity = slot.value * self.momentum - step
        self.assign_add(variable, velocity * self.momentum - step if self.nesterov else velocity)
        self.assign(slot, velocity)
