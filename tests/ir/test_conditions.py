"""Conditions that are known when an expression is made leave no branch behind."""

from __future__ import annotations

import pytest

from kcompile.ir import loops
from kcompile.ir.conditions import COMPARISONS
from kcompile.ir.rewriting import rewritten

ROW = loops.Axis(8, "row")
LEFT, RIGHT = (loops.load(name, (loops.Int.of(ROW),), "float32") for name in "ab")


def below(limit):
    return loops.apply("lt", loops.index(loops.Int.of(ROW)), loops.index(limit), dtype="bool")


@pytest.mark.parametrize("op", sorted(COMPARISONS))
@pytest.mark.parametrize(("a", "b"), [(2, 3), (3, 3), (4, 3)])
def test_whole_constants_compare_at_once(op, a, b):
    found = loops.apply(op, loops.index(a), loops.index(b), dtype="bool")
    assert (found.op, found.attr) == ("const", COMPARISONS[op](a, b))


def test_floats_compare_at_run_time():
    """Their constants are rounded where they are used, not before."""
    assert loops.apply("lt", *(loops.const(v, "float32") for v in (1, 2)), dtype="bool").op == "lt"


@pytest.mark.parametrize("branch", [loops.guard, loops.select])
def test_a_branch_is_taken_once_its_axis_is_known(branch):
    chosen = branch(below(3), LEFT, branch(below(5), RIGHT, loops.const(0, "float32")))
    for at, expected in ((2, LEFT), (4, RIGHT)):
        assert chosen.substitute({ROW: at}) is expected.substitute({ROW: at})
    assert chosen.substitute({ROW: 6}) is loops.const(0, "float32")


@pytest.mark.parametrize("branch", [loops.guard, loops.select])
def test_equal_sides_are_no_branch(branch):
    assert branch(below(3), LEFT, LEFT) is LEFT
    assert rewritten(branch(below(3), LEFT, RIGHT), lambda part: LEFT if part is RIGHT else part) is LEFT


def test_a_conjunction_that_fails_is_known():
    never = loops.apply("and", below(3), loops.const(False, "bool"), dtype="bool")
    assert loops.guard(never, LEFT, RIGHT) is RIGHT
