"""Symbolic integers against Python's own: any formula, simplified as it is built, keeps its value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompile.core import symbolic
from kcompile.core.symbolic import Atom, Int, symbol

BATCH, LENGTH = symbol("batch"), symbol("length", low=0)
ROW, COLUMN = Atom("i", 0, 12), Atom("j", 0, BATCH)
NAMES = ("batch", "length", "i", "j")


@st.composite
def formulas(draw, depth=3):
    """(symbolic value, function of an environment that computes the same with ints)."""
    kind = draw(st.sampled_from(["leaf", "add", "sub", "mul", "floordiv", "mod"] if depth else ["leaf"]))
    if kind == "leaf":
        if draw(st.booleans()):
            number = draw(st.integers(-12, 12))
            return number, lambda env: number
        name = draw(st.sampled_from(NAMES))
        made = {"batch": BATCH, "length": LENGTH, "i": Int.of(ROW), "j": Int.of(COLUMN)}[name]
        return made, lambda env: env[name]
    a, value_a = draw(formulas(depth - 1))
    if kind in ("floordiv", "mod"):
        b = draw(st.sampled_from([1, 2, 3, 4, 12, -1, -2, -5, BATCH]))
        value_b = (lambda env: b) if isinstance(b, int) else (lambda env: env["batch"])
    else:
        b, value_b = draw(formulas(depth - 1))
    operate = {
        "add": lambda p, q: p + q,
        "sub": lambda p, q: p - q,
        "mul": lambda p, q: p * q,
        "floordiv": lambda p, q: p // q,
        "mod": lambda p, q: p % q,
    }[kind]
    return operate(a, b), lambda env: operate(value_a(env), value_b(env))


@st.composite
def environments(draw):
    batch = draw(st.integers(1, 40))
    return {
        "batch": batch,
        "length": draw(st.integers(0, 40)),
        "i": draw(st.integers(0, 11)),
        "j": draw(st.integers(0, batch - 1)),
    }


@given(formulas(), environments())
def test_a_formula_keeps_its_value(formula, env):
    made, value = formula
    assert symbolic.evaluate(made, env) == value(env)


@given(formulas(), environments(), st.integers(0, 11))
def test_substitution_is_evaluation(formula, env, i):
    made, value = formula
    env = {**env, "i": i}
    atoms = {
        ROW: i,
        COLUMN: env["j"],
        BATCH.terms[0][0][0]: env["batch"],
        LENGTH.terms[0][0][0]: env["length"],
    }
    replaced = symbolic.substitute(made, atoms)
    assert isinstance(replaced, int)
    assert replaced == value(env)


@given(formulas(), environments())
def test_bounds_hold(formula, env):
    made, value = formula
    if symbolic.is_nonnegative(made):
        assert value(env) >= 0
    top = symbolic.upper(made)
    if top is not None:
        assert value(env) <= symbolic.evaluate(top, env)


@given(formulas(), environments(), st.integers(0, 11))
def test_coefficients_are_slopes(formula, env, other):
    made, value = formula
    slope = symbolic.coefficient_of(made, ROW)
    if slope is not None:
        rise = value({**env, "i": other}) - value(env)
        assert rise == symbolic.evaluate(slope, env) * (other - env["i"])


@given(formulas(), environments())
def test_code_is_a_python_formula(formula, env):
    made, value = formula

    def spelled(atom):
        if not isinstance(atom, symbolic.FloorDiv):
            return atom.name
        numerator, divisor = (symbolic.code(x, spelled) for x in (atom.numerator, atom.divisor))
        return f"(({numerator}) // ({divisor}))"

    assert eval(symbolic.code(made, spelled), dict(env)) == value(env)


def test_results_without_symbols_are_ints():
    assert BATCH - BATCH == 0
    assert type(BATCH * 0) is int
    assert (BATCH + 3 - BATCH) * 2 == 6


def test_a_split_index_joins_again():
    i = Int.of(Atom("k", 0, BATCH * 64))
    assert (i // 64) * 64 + i % 64 == i


@pytest.mark.parametrize("divisor", [4, BATCH])
def test_a_division_that_comes_out_is_carried_out(divisor):
    assert (divisor * Int.of(ROW) + 0 * BATCH) // divisor == Int.of(ROW)
    assert (divisor * LENGTH) % divisor == 0


def test_what_is_smaller_than_the_divisor_goes():
    assert Int.of(ROW) // 12 == 0
    assert Int.of(COLUMN) // BATCH == 0
    assert (Int.of(ROW) + 12 * LENGTH) // 12 == LENGTH
    assert (Int.of(ROW) + 12 * LENGTH) % 12 == Int.of(ROW)


def test_divisions_in_a_row_are_one():
    assert (LENGTH // 3) // 4 == LENGTH // 12


def test_python_cannot_take_a_dimension_for_a_number():
    with pytest.raises(TypeError, match="known only at run time"):
        range(BATCH)


def test_symbols_of_one_name_with_other_bounds_are_others():
    """Another trace may know more of its `n`; what that lets simplify must not be used here."""
    one, two = symbolic.symbol("n"), symbolic.symbol("n", low=2)
    assert one == symbolic.symbol("n")
    assert one != two
    assert one // 3 != two // 3
    assert symbolic.minimum(one, 5) != symbolic.minimum(two, 5)
    assert symbolic.minimum(two, 2) == 2
    assert symbolic.minimum(one, 2) != 2
