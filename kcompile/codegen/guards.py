"""Guards whose outcome is known, or asked in two steps."""

from __future__ import annotations

from kcompile.codegen.sections import Section
from kcompile.ir import loops
from kcompile.ir.loops import Axis, Expr


def decided(e: Expr, section: Section) -> Expr:
    """e along a stretch of its axis."""
    for test, holds in section.outcomes:
        e = take_branch(e, test, 1 if holds else 2)
    return e


def take_branch(e: Expr, test: Expr, side: int) -> Expr:
    """e where the outcome of a guard's condition is known: side 1 is true, 2 false."""
    memo: dict[Expr, Expr] = {}

    def visit(part: Expr) -> Expr:
        if part not in memo:
            if part.op == "guard" and part.args[0] is test:
                memo[part] = visit(part.args[side])
            else:
                memo[part] = loops.with_args(part, tuple(visit(a) for a in part.args))
        return memo[part]

    return visit(e)


def one_test_at_a_time(e: Expr, axis: Axis) -> Expr:
    """Guards of several conditions ask first those that `axis` does not change: of a row, whether it lies
    inside at all. Only where a constant stands for what lies outside, which is then written twice.
    """
    memo: dict[Expr, Expr] = {}

    def visit(part: Expr) -> Expr:
        if part not in memo:
            new = loops.with_args(part, tuple(visit(a) for a in part.args))
            memo[part] = _in_two_steps(new, axis) if new.op == "guard" else new
        return memo[part]

    return visit(e)


def _in_two_steps(e: Expr, axis: Axis) -> Expr:
    test, inside, outside = e.args
    conditions = _conjuncts(test)
    along = [c for c in conditions if axis in c.free_axes]
    across = [c for c in conditions if axis not in c.free_axes]
    if not along or not across or outside.op != "const":
        return e
    return loops.guard(_all(across), loops.guard(_all(along), inside, outside), outside)


def _conjuncts(test: Expr) -> list[Expr]:
    return [c for a in test.args for c in _conjuncts(a)] if test.op == "and" else [test]


def _all(conditions: list[Expr]) -> Expr:
    total = conditions[0]
    for c in conditions[1:]:
        total = loops.apply("and", total, c)
    return total
