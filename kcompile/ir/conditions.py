"""Conditions that are known when an expression is made."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt, "eq": operator.eq,
    "ne": operator.ne,
}  # fmt: skip


def known(op: str, args: tuple[Any, ...]) -> bool | None:
    """What a comparison of two whole constants, or `and` beside a constant that decides, comes to."""
    if op in COMPARISONS:
        if all(a.op == "const" and a.dtype.startswith("int") for a in args):
            return COMPARISONS[op](args[0].attr, args[1].attr)
    elif op == "and" and any(a.op == "const" and a.dtype == "bool" and not a.attr for a in args):
        return False
    return None
