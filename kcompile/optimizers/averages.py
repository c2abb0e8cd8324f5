"""Moving averages of the variables, which may replace them now and then, and do at the end of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.errors import message


def check(momentum: float, frequency: Any) -> None:
    if not 0 <= momentum <= 1:
        raise ValueError(
            message("`ema_momentum` must be in the range [0, 1].", received=f"ema_momentum={momentum}")
        )
    if frequency and (not isinstance(frequency, int) or frequency < 1):
        raise ValueError(
            message(
                "`ema_overwrite_frequency` must be an integer >= 1 or None.",
                received=f"ema_overwrite_frequency={frequency}",
            )
        )


def averaged(optimizer: Any) -> list[tuple[Any, Any]]:
    """(variable, its average); variables that take their gradient as their value have none."""
    pairs = zip(optimizer._trainable_variables, optimizer._averages, strict=True)
    return [(variable, average) for variable, average in pairs if average is not None]


def update(optimizer: Any) -> None:
    """After an update: averages follow the variables; the first step copies them."""
    started = ops.not_equal(optimizer.iterations, 0)
    for variable, average in averaged(optimizer):
        momentum = ops.cast(started, variable.dtype) * optimizer.ema_momentum
        average.assign(momentum * average.value + (1 - momentum) * variable.value)
    if optimizer.ema_overwrite_frequency:
        due = ops.equal(ops.mod(optimizer.iterations + 1, optimizer.ema_overwrite_frequency), 0)
        for variable, average in averaged(optimizer):
            variable.assign(ops.where(due, average.value, variable.value))


def overwrite(optimizer: Any, variables: Sequence[Any]) -> None:
    """Variables take the value of their averages."""
    wanted = {id(variable) for variable in variables}
    for variable, average in averaged(optimizer):
        if id(variable) in wanted:
            variable.assign(average.value)
