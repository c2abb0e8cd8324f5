"""Expressions with some of their parts replaced."""

from __future__ import annotations

from collections.abc import Callable

from kcompile.ir import loops
from kcompile.ir.loops import Expr


def rewritten(e: Expr, rule: Callable[[Expr], Expr], memo: dict[Expr, Expr] | None = None) -> Expr:
    """e with rule(part) for each part, whose own parts are rewritten before it; a rule keeps what it returns.

    memo: what is rewritten already, and will be, for several expressions with shared parts.
    """
    known: dict[Expr, Expr] = {} if memo is None else memo

    def visit(part: Expr) -> Expr:
        if part not in known:
            known[part] = rule(loops.with_args(part, tuple(visit(a) for a in part.args)))
        return known[part]

    return visit(e)
