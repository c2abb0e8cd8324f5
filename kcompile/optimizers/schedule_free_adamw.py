"""AdamW without a learning-rate schedule: an average of all iterates takes its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.signatures import shares
from kcompile.optimizers.betas import bias_left, complement
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace import tracer
from kcompile.trace.variable import Variable


class ScheduleFreeAdamW(Optimizer):
    """v = b2 v + (1 - b2) g^2,  z -= lr g / (sqrt(v / (1 - b2^t)) + epsilon),  x = mean of all z,
    and the variable is (1 - b1) z + b1 x.

    Args:    warmup_steps: the rate rises linearly over so many steps.
    Source:  Defazio et al. 2024.
    """

    settings = ("beta_1", "beta_2", "epsilon", "warmup_steps")

    @shares(Optimizer.__init__)
    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.warmup_steps = warmup_steps

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        self._momentums, self._velocities = self.add_optimizer_variables(var_list, ["momentum", "velocity"])
        with tracer.suspended():  # z starts at the variable, also where a trace builds the optimizer
            for momentum, variable in zip(self._momentums, var_list, strict=True):
                if momentum is not None:
                    momentum.assign(variable.numpy())

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        k, mix = self._get_variable_index(variable), self.beta_1
        step = ops.cast(self.iterations + 1, variable.dtype)
        if self.warmup_steps > 0:
            learning_rate = learning_rate * ops.minimum(step / self.warmup_steps, 1.0)
        z, v = self._momentums[k].value, self._velocities[k].value
        v = v + (ops.square(gradient) - v) * complement(self.beta_2, variable.dtype)
        left = bias_left(self.beta_2, self.iterations, variable.dtype)
        new_z = z - learning_rate * gradient / (ops.sqrt(v / left) + self.epsilon)
        weight = 1.0 / step
        x = (variable.value - (1 - mix) * z) / mix
        new_x = (1 - weight) * x + weight * new_z
        self.assign(self._velocities[k], v)
        self.assign(self._momentums[k], new_z)
        self.assign(variable, (1 - mix) * new_z + mix * new_x)
