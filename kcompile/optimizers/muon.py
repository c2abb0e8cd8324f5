"""Muon: momentum whose matrices are made nearly orthogonal; AdamW for what is no matrix."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.signatures import shares
from kcompile.optimizers.betas import bias_left
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class Muon(Optimizer):
    """m = momentum m + g,  w -= lr f(g + momentum m), where f brings all singular values near 1.

    Variables that are not 2-D, embeddings, and those whose path matches `exclude_layers` follow AdamW.

    Args:    adam_*: settings of the AdamW part; its rate is adam_lr_ratio times learning_rate.
             exclude_layers: regular expressions. muon_a, muon_b, muon_c: x <- a x + (b A + c A^2) x with
             A = x x', done ns_steps times. nesterov: without it, f(m). rms_rate: steps are scaled by
             rms_rate sqrt(longer side); None: not at all.
    Source:  Jordan et al. 2024 (Newton-Schulz); Liu et al. 2025 (scale of the steps).
    """

    settings = (
        *("adam_beta_1", "adam_beta_2", "epsilon", "exclude_layers", "muon_a", "muon_b", "muon_c"),
        *("adam_lr_ratio", "momentum", "ns_steps", "nesterov", "exclude_embeddings", "adam_weight_decay"),
        "rms_rate",
    )

    @shares(Optimizer.__init__, before="exclude_layers")
    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.adam_beta_1, self.adam_beta_2, self.epsilon = adam_beta_1, adam_beta_2, epsilon
        self.adam_weight_decay, self.adam_lr_ratio = adam_weight_decay, adam_lr_ratio
        self.muon_a, self.muon_b, self.muon_c = muon_a, muon_b, muon_c
        self.momentum, self.ns_steps, self.nesterov = momentum, ns_steps, nesterov
        self.exclude_layers = exclude_layers or []
        self.exclude_embeddings, self.rms_rate = exclude_embeddings, rms_rate

    def _should_use_adamw(self, variable: Variable) -> bool:
        if len(variable.shape) != 2 or (self.exclude_embeddings and "embedding" in variable.path.lower()):
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        self.momentums: list[Any] = [None] * len(var_list)
        self.adam_velocities: list[Any] = [None] * len(var_list)
        for k, variable in enumerate(var_list):
            if variable.overwrite_with_gradient:
                continue
            self.momentums[k] = self.add_variable_from_reference(variable, "momentum")
            if self._should_use_adamw(variable):
                self.adam_velocities[k] = self.add_variable_from_reference(variable, "velocity")

    def _decay_of(self, variable: Variable) -> float | None:
        return self.adam_weight_decay if self._should_use_adamw(variable) else self.weight_decay

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        if self.adam_velocities[self._get_variable_index(variable)] is not None:
            self._adamw_step(gradient, variable, learning_rate * self.adam_lr_ratio)
        else:
            self._muon_step(gradient, variable, learning_rate)

    def _muon_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        slot = self.momentums[self._get_variable_index(variable)]
        m = slot.value * self.momentum + gradient
        self.assign(slot, m)
        direction = gradient + self.momentum * m if self.nesterov else m
        step = self.zeropower_via_newtonschulz5(direction, self.ns_steps)
        self.assign_sub(variable, self.lr_adjust(step * learning_rate))

    def lr_adjust(self, x: Any) -> Any:
        """A step in the scale of AdamW's: times rms_rate and the root of the matrix's longer side."""
        return x if self.rms_rate is None else x * (math.sqrt(max(x.shape)) * self.rms_rate)

    def transpose_last_axis(self, X: Any) -> Any:
        """The last two axes exchanged."""
        return ops.swapaxes(X, -1, -2)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """A matrix with the singular vectors of x and singular values near 1.

        Raises:  ValueError for fewer than 2 dimensions.
        """
        if len(x.shape) < 2:
            raise ValueError(
                "Expected gradient or momentum to have at least 2 dimensions. "
                f"Received: shape={tuple(x.shape)}"
            )
        is_tall = x.shape[-2] > x.shape[-1]
        x = self.transpose_last_axis(x) if is_tall else x
        x = x / (ops.sqrt(ops.sum(ops.square(x), axis=(-2, -1), keepdims=True)) + 1e-7)
        for _ in range(steps):
            squared = ops.matmul(x, self.transpose_last_axis(x))
            polynomial = self.muon_b * squared + self.muon_c * ops.matmul(squared, squared)
            x = self.muon_a * x + ops.matmul(polynomial, x)
        return self.transpose_last_axis(x) if is_tall else x

    def _adamw_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        k = self._get_variable_index(variable)
        betas = (self.adam_beta_1, self.adam_beta_2)
        left_1, left_2 = (bias_left(beta, self.iterations, variable.dtype) for beta in betas)
        m, v = self.momentums[k].value, self.adam_velocities[k].value
        m = m + (gradient - m) * (1 - self.adam_beta_1)
        v = v + (ops.square(gradient) - v) * (1 - self.adam_beta_2)
        self.assign(self.momentums[k], m)
        self.assign(self.adam_velocities[k], v)
        self.assign_sub(
            variable, m * (learning_rate * ops.sqrt(left_2) / left_1) / (ops.sqrt(v) + self.epsilon)
        )
