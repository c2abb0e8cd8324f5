"""Conditions on an axis, asked of the axis that it forms with a short one behind it.

Padding asks of each pixel whether it lies inside. With few channels the loop over them is shorter than a
vector; once the question is put to the row of all pixels' channels, the two axes walk memory as one.
"""

from __future__ import annotations

from kcompile.core import symbolic
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.loops import Axis, Expr
from kcompile.ir.rewriting import rewritten

SHORT = 16  # elements: a vector's
LONGEST = 1 << 16  # of the joined axis, whose stretches are looked for
_MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


def scaled(exprs: list[Expr], first: Axis, second: Axis) -> list[Expr] | None:
    """The same expressions with every order relation on `first` scaled; None where that is of no use."""
    if not (isinstance(first.extent, int) and isinstance(second.extent, int)):
        return None
    if second.extent >= SHORT or first.extent * second.extent > LONGEST:
        return None

    def rule(part: Expr) -> Expr:
        return (_scaled_test(part, first, second) if part.op in _MIRRORED else None) or part

    memo: dict[Expr, Expr] = {}
    found = [rewritten(e, rule, memo) for e in exprs]
    return found if any(a is not b for a, b in zip(found, exprs, strict=True)) else None


def _scaled_test(test: Expr, first: Axis, second: Axis) -> Expr | None:
    """`first + b < c` holds where `(first + b) * n + second < c * n` does, for any second in [0, n)."""
    left, right = (_integer(a) for a in test.args)
    if left is None or right is None:
        return None
    steps = [_steps(side, first, second) for side in (left, right)]
    if steps == [(0, 0), (1, 0)]:
        left, right, op = right, left, _MIRRORED[test.op]
    elif steps == [(1, 0), (0, 0)]:
        op = test.op
    else:
        return None
    n = second.extent
    assert isinstance(n, int)
    if op in ("le", "gt"):  # of integers: first <= c where first < c + 1
        op, right = {"le": "lt", "gt": "ge"}[op], right + 1
    return loops.apply(op, loops.index(left * n + Int.of(second)), loops.index(right * n), dtype=test.dtype)


def _integer(e: Expr) -> int | Int | None:
    if e.op == "index":
        return e.attr
    return e.attr if e.op == "const" and isinstance(e.attr, int) and e.dtype != "bool" else None


def _steps(value: int | Int, first: Axis, second: Axis) -> tuple[int | Int | None, int | Int | None]:
    return symbolic.coefficient_of(value, first), symbolic.coefficient_of(value, second)
