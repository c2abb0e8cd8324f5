"""What a row's reduction computes and its store needs again is kept in the row that is stored.

A softmax sums exponentials and divides each of them by the sum: the loop that sums writes them to where the
quotients will be, so that they are not computed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from kcompile.codegen import scalar
from kcompile.codegen.expressions import Names, is_unrolled
from kcompile.codegen.nest import StoreItem
from kcompile.core import symbolic
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.loops import Axis, Expr, Index
from kcompile.ir.rewriting import rewritten

Kept = dict[Expr, tuple[Expr, Index]]  # of a reduction: the part that it keeps, and where


def kept_in_row(item: StoreItem, around: Sequence[Axis], axis: Axis, names: Names) -> tuple[StoreItem, Kept]:
    """The store with loads of what its reductions keep, and what they keep.

    around, axis: the store's loops, the innermost apart. The target may not be read for anything else, and
    has to hold what is kept as exactly as a register does.
    """
    parts = loops.walk(item.expr)
    memory = names.memory(item.target)
    if item.target.dtype not in ("float32", "float64") or any(
        p.op == "guard" or (p.op == "load" and names.memory(p.attr[0]) is memory) for p in parts
    ):
        return item, {}
    for r in parts:
        if r.op != "reduce" or r.free_axes != frozenset(around) or is_unrolled(r):
            continue
        _, axes, part = r.attr
        if part is not None or len(axes) != 1 or axes[0].extent != axis.extent:
            continue
        for kept, own in _costly_parts(r, axes[0], axis, item.target.dtype):
            if own in parts:
                load = loops.load(item.target, item.index, item.target.dtype)
                expr = _replaced(item.expr, own, load)
                at = tuple(symbolic.substitute(i, {axis: Int.of(axes[0])}) for i in item.index)
                return replace(item, expr=expr), {r: (kept, at)}
    return item, {}


def _costly_parts(r: Expr, over: Axis, axis: Axis, dtype: str) -> Iterator[tuple[Expr, Expr]]:
    """Costly parts of what is reduced, the largest first, each with what it is at the store's own element."""
    for part in reversed(loops.walk(r.args[0])):
        costly = part.op != "reduce" and any(p.op in scalar.COSTLY for p in loops.walk(part))
        if costly and part.dtype == dtype and over in part.free_axes:
            yield part, part.substitute({over: Int.of(axis)})


def _replaced(e: Expr, old: Expr, new: Expr) -> Expr:
    return rewritten(e, lambda part: new if part is old else part)
