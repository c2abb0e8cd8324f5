"""Adafactor: second moments of matrices kept as a row and a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.signatures import shares
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class Adafactor(Optimizer):
    """Steps scaled by a second moment that is an outer product r c / mean(r) over the last two dimensions.

    Args:    beta_2_decay: the moments' memory at step t is 1 - t^beta_2_decay. epsilon_1: added to squared
             gradients. epsilon_2: least root mean square of a variable, which scales its steps.
             clip_threshold: largest root mean square of a step before scaling. relative_step: a constant
             rate is at most 1 / sqrt(t).
    Source:  Shazeer and Stern 2018, algorithms 4 and 5.
    """

    settings = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")

    @shares(Optimizer.__init__)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_2_decay, self.epsilon_1, self.epsilon_2 = beta_2_decay, epsilon_1, epsilon_2
        self.clip_threshold, self.relative_step = clip_threshold, relative_step

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        self._rows: list[Any] = []
        self._columns: list[Any] = []
        self._moments: list[Any] = []
        for variable in var_list:
            self._add_slots(variable)

    def _add_slots(self, variable: Variable) -> None:
        """Row, column and full moment; a vector has two int placeholders, which Keras's files hold too."""
        shape, row, column = variable.shape, None, None
        if len(shape) < 2:
            row, column = (Variable(0, dtype="int32", trainable=False, name=variable.name) for _ in range(2))
            self._variables += [] if self.is_inner else [row, column]
        elif not variable.overwrite_with_gradient:
            row = self.add_variable(shape[:-1], dtype=variable.dtype, name=variable.name)
            column = self.add_variable((*shape[:-2], shape[-1]), dtype=variable.dtype, name=variable.name)
        self._rows.append(row)
        self._columns.append(column)
        overwritten = variable.overwrite_with_gradient
        self._moments.append(None if overwritten else self.add_variable_from_reference(variable, "velocity"))

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        moment = self._moments[self._get_variable_index(variable)]
        step = ops.cast(self.iterations + 1, variable.dtype)
        fading = ops.power(step, self.beta_2_decay)
        squares = ops.square(gradient) + self.epsilon_1
        if len(variable.shape) >= 2:
            self.assign(moment, self._factored(variable, squares, fading))
        else:
            self.assign(moment, moment.value + (squares - moment.value) * fading)
        update = gradient / ops.sqrt(moment.value)
        update = update / ops.maximum(1.0, _rms(update) / self.clip_threshold)
        # relative_step bounds the rate as this does, so that it changes nothing more
        rate = ops.minimum(learning_rate, 1.0 / ops.sqrt(step))
        size = ops.maximum(self.epsilon_2, _rms(variable.value))
        self.assign_sub(variable, update * (size * rate))

    def _factored(self, variable: Variable, squares: Any, fading: Any) -> Any:
        """Update row and column; their product, which stands for the moment."""
        k = self._get_variable_index(variable)
        kept = 1 - fading
        row = kept * self._rows[k].value + fading * ops.mean(squares, axis=-1)
        column = kept * self._columns[k].value + fading * ops.mean(squares, axis=-2)
        self.assign(self._rows[k], row)
        self.assign(self._columns[k], column)
        share = row / ops.mean(row, axis=-1, keepdims=True)
        return ops.expand_dims(share, -1) * ops.expand_dims(column, -2)


def _rms(x: Any) -> Any:
    return ops.sqrt(ops.mean(ops.square(x)))
