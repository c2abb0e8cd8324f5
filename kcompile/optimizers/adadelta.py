"""Adadelta: steps in the units of the variable, without a global rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class Adadelta(Optimizer):
    """a = rho a + (1 - rho) g^2,  d = -g rms(u) / rms(a),  u = rho u + (1 - rho) d^2,  w += lr d,
    where rms(x) = sqrt(x + epsilon).

    Source:  Zeiler 2012; its own rate is 1.0.
    """

    settings = ("rho", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            *(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum),
            *(ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name),
            **kwargs,
        )
        self.rho = rho
        self.epsilon = epsilon

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
