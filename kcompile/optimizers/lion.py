"""Lion: the sign of an interpolated momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.signatures import shares
from kcompile.optimizers.betas import complement
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class Lion(Optimizer):
    """w -= lr sign(b1 m + (1 - b1) g),  m = b2 m + (1 - b2) g.

    Raises:  ValueError unless 0 < beta_1 <= 1.
    Source:  Chen et al. 2023.
    """

    settings = ("beta_1", "beta_2")

    @shares(Optimizer.__init__)
    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **kwargs: Any):
        if beta_1 <= 0 or beta_1 > 1:
            raise ValueError(
                "Argument `beta_1` must be in the [0, 1] range. Otherwise, the optimizer degenerates to "
                "SignSGD. "
                f"Received: beta_1={beta_1}."
            )
        super().__init__(learning_rate, **kwargs)
        self.beta_1, self.beta_2 = beta_1, beta_2

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        self._momentums = self.add_optimizer_variables(var_list, "momentum")

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        slot = self._momentums[self._get_variable_index(variable)]
        direction = ops.sign(slot.value * self.beta_1 + gradient * complement(self.beta_1, variable.dtype))
        momentum = slot.value * self.beta_2 + gradient * complement(self.beta_2, variable.dtype)
        self.assign(slot, momentum)
        self.assign_sub(variable, learning_rate * direction)
