"""One update in several steps, with the mean of their gradients."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.optimizers.selecting import snapshot


def check(steps: Any) -> None:
    if steps and not steps >= 2:
        raise ValueError(
            "`gradient_accumulation_steps` must be an integer >= 2. Received: "
            f"gradient_accumulation_steps={steps}"
        )


def step(optimizer: Any, gradients: list[Any], variables: list[Any]) -> None:
    """Add gradients to the sums; the update is always computed, and kept in each last of so many steps."""
    steps = optimizer.gradient_accumulation_steps
    is_last = ops.equal(ops.mod(optimizer._iterations.value + 1, steps), 0)
    sums = [optimizer._accumulated[optimizer._get_variable_index(v)] for v in variables]
    totals = [g + s.value for g, s in zip(gradients, sums, strict=True)]
    untouched = {id(v) for v in (*optimizer._accumulated, *getattr(optimizer, "_averages", ()))}
    touched = [v for v in (*variables, *optimizer.variables) if id(v) not in untouched]
    before = [snapshot(v) for v in touched]
    optimizer._update([total / steps for total in totals], variables)
    for variable, old in zip(touched, before, strict=True):
        if variable.value is not old:
            variable.assign(ops.where(is_last, variable.value, old))
    for slot, total in zip(sums, totals, strict=True):
        slot.assign(ops.where(is_last, 0, total))
