"""What it costs to compute a value again, and whether that happens."""

from __future__ import annotations

from kcompile.core.dtypes import is_float
from kcompile.core.symbolic import Int, is_nonnegative
from kcompile.ir import loops
from kcompile.ir.loops import Axis, Expr, Index, axis_of
from kcompile.schedule.lower import COSTS, RECOMPUTED, cost, costs, evaluations, reads_each_once


class Everything:
    """A container that holds every value."""

    def __contains__(self, _: object) -> bool:
        return True


def is_small(reduction: Expr) -> bool:
    """A window of a few elements, unrolled: as good as elementwise."""
    extent = 1
    for a in reduction.attr[1]:
        if not isinstance(a.extent, int):
            return False
        extent *= a.extent
    return extent <= 16


def depends_on_order(reduction: Expr) -> bool:
    """Do its last bits depend on the order in which elements are combined?"""
    return reduction.attr[0] in ("sum", "prod") and is_float(reduction.dtype)


def is_repeated(axes: tuple[Axis, ...], load: Expr, expr: Expr) -> bool:
    """Is some element of the loaded value evaluated more than once?"""
    if reads_each_once(axes, load, expr):
        return False
    return not _at_most(evaluations(axes, load, expr), load.attr[0].type.size)


def price(expr: Expr) -> int:
    """Cost of computing an expression once more, random numbers apart: by design they are never stored."""
    return cost(expr) - sum(COSTS[p.op] for p in loops.walk(expr) if p.op in RECOMPUTED)


def price_in_a_row(expr: Expr, index: Index) -> int:
    """The same for each element of a row, without what is computed once for the row."""
    last = axis_of(index[-1]) if index else None
    if last is None:
        return price(expr)
    return sum(own for p, own in costs(expr).items() if last in p.free_axes and p.op not in RECOMPUTED)


def _at_most(a: int | Int, b: int | Int) -> bool:
    return a == b or is_nonnegative(b - a)
