"""Updates that happen only under a condition which is known when the step runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kcompile import ops
from kcompile.ir.graph import Value


def update_if(condition: Any, variables: Iterable[Any], update: Callable[[], None]) -> None:
    """Do `update()` where the 0-d condition holds; `variables` are all that it may assign.

    In a trace the update is always computed, and each element is kept or dropped where it is written: one
    pass over the variables, as without the condition.
    """
    if not isinstance(condition, Value):
        if condition:
            update()
        return
    before = [(v, v.value) for v in variables]
    update()
    for variable, old in before:
        new = variable.value
        if new is not old:
            variable.assign(ops.where(condition, new, old))
