"""Adadelta: steps in the units of the variable, without a global rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.signatures import shares
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class Adadelta(Optimizer):
    """a = rho a + (1 - rho) g^2,  d = -g rms(u) / rms(a),  u = rho u + (1 - rho) d^2,  w += lr d,
    where rms(x) = sqrt(x + epsilon).

    Source:  Zeiler 2012; its own rate is 1.0.
    """

    settings = ("rho", "epsilon")

    @shares(Optimizer.__init__)
    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.rho, self.epsilon = rho, epsilon

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        names = ["accumulated_grad", "accumulated_delta_var"]
        self._accumulated_grads, self._accumulated_delta_vars = self.add_optimizer_variables(var_list, names)

    def update_step(self, grad: Any, variable: Variable, learning_rate: Any) -> None:
        k, rho = self._get_variable_index(variable), self.rho
        squares, deltas = self._accumulated_grads[k], self._accumulated_delta_vars[k]
        g2 = rho * squares.value + (1 - rho) * ops.square(grad)
        delta = -(ops.sqrt(deltas.value + self.epsilon) * grad / ops.sqrt(g2 + self.epsilon))
        d2 = rho * deltas.value + (1 - rho) * ops.square(delta)
        self.assign(squares, g2)
        self.assign(deltas, d2)
        self.assign_add(variable, learning_rate * delta)
