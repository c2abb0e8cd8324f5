"""Guards whose outcome is known, or asked in two steps."""

from __future__ import annotations

from kcompile.codegen.sections import Section
from kcompile.ir import loops
from kcompile.ir.loops import Axis, Expr
from kcompile.ir.rewriting import rewritten


def decided(e: Expr, section: Section) -> Expr:
    """e along a stretch of its axis."""
    for test, holds in section.outcomes:
        e = take_branch(e, test, 1 if holds else 2)
    return e


def take_branch(e: Expr, test: Expr, side: int) -> Expr:
    """e where the outcome of a guard's condition is known: side 1 is true, 2 false."""
    return rewritten(e, lambda p: p.args[side] if p.op == "guard" and p.args[0] is test else p)


def one_test_at_a_time(e: Expr, axis: Axis) -> Expr:
    """Guards of several conditions ask first those that `axis` does not change: of a row, whether it lies
    inside at all. Only where a constant stands for what lies outside, which is then written twice.
    """
    return rewritten(e, lambda p: _in_two_steps(p, axis) if p.op == "guard" else p)


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
