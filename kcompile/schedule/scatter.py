"""Sums that are scatters: `sum over j of (u[j] if p[j] == row else 0)` visits every j for every row; a
scatter adds u[j] to row p[j] once.
"""

from __future__ import annotations

from dataclasses import dataclass

from kcompile.ir.loops import Axis, Expr, axis_of


@dataclass(frozen=True)
class Scatter:
    """row: the kept axis that is tested. position: the expression that names the row. update: what is added
    there. along: have other kept axes positions of their own, as the rows of a batch?
    """

    row: Axis
    position: Expr
    update: Expr
    along: bool = False


def scatter_of(r: Expr, takes_along: bool = False) -> Scatter | None:
    """The scatter that a reduction is, or None. takes_along: are those `along` other axes wanted, too?"""
    if r.op != "reduce" or r.attr[0] != "sum" or r.attr[2] is not None or r.args[0].op != "select":
        return None
    test, update, otherwise = r.args[0].args
    if test.op != "eq" or otherwise.op != "const" or otherwise.attr != 0:
        return None
    for tested, position in (test.args, test.args[::-1]):
        row = axis_of(tested.attr) if tested.op == "index" else None
        if row is None or row not in r.free_axes:
            continue
        if row in position.free_axes or row in update.free_axes:
            continue
        along = bool(position.free_axes - set(r.attr[1]))
        if along and not takes_along:
            continue
        return Scatter(row, position, update, along)
    return None
