"""One update in several steps, with the mean of their gradients."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.optimizers.conditional import update_if


def check(steps: Any) -> None:
    if steps and not steps >= 2:
        raise ValueError(
            "`gradient_accumulation_steps` must be an integer >= 2. Received: "
            f"gradient_accumulation_steps={steps}"
        )


def is_last(optimizer: Any) -> Any:
    """Is this step the one that updates?"""
    return ops.equal(ops.mod(optimizer._iterations.value + 1, optimizer.gradient_accumulation_steps), 0)


def step(optimizer: Any, gradients: list[Any], variables: list[Any]) -> None:
    """Add gradients to the sums; in each last of so many steps, update with their mean and begin anew."""
    due = is_last(optimizer)
    sums = [optimizer._accumulated[optimizer._get_variable_index(v)] for v in variables]
    totals = [g + s.value for g, s in zip(gradients, sums, strict=True)]
    means = [total / optimizer.gradient_accumulation_steps for total in totals]
    update_if(due, (*variables, *optimizer.variables), lambda: optimizer._update(means, variables))
    for slot, total in zip(sums, totals, strict=True):
        slot.assign(ops.where(due, 0, total))


def overwrite(optimizer: Any, gradient: Any, variable: Any) -> None:
    """A variable that takes its gradient as its value takes the largest of so many steps."""
    due, slot = is_last(optimizer), optimizer._accumulated[optimizer._get_variable_index(variable)]
    largest = ops.maximum(gradient, slot.value)
    variable.assign(ops.where(due, largest, variable.value))
    slot.assign(ops.where(due, 0, largest))
