"""Loops over the same axes that read the same data become one: it is read once.

The two sums of a batch normalization's gradient are such a pair, and an optimizer's updates of one variable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kcompile.core.symbolic import Atom, Int, substitute
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Kernel, Loop, Store, writes
from kcompile.ir.loops import Axis, Expr
from kcompile.ir.rewriting import rewritten
from kcompile.schedule.scatter import scatter_of

MOST_STORES = 8
REACH = 4  # kernels that may lie between the two


def with_siblings_joined(kernels: list[Kernel], aliases: Mapping[Value, Value]) -> list[Kernel]:
    """The kernels in order, each loop joined to one shortly before it if it can and may be done there.

    aliases: values that are written into a variable's own memory.
    """
    result: list[Kernel] = []
    for kernel in kernels:
        place = _sibling_before(result, kernel, aliases) if isinstance(kernel, Loop) else None
        if place is None:
            result.append(kernel)
        else:
            result[place] = _joined(result[place], kernel)  # type: ignore[arg-type]
    return result


def _sibling_before(done: list[Kernel], kernel: Loop, aliases: Mapping[Value, Value]) -> int | None:
    for place in range(len(done) - 1, max(-1, len(done) - 2 - REACH), -1):
        other = done[place]
        if not _are_free(other, kernel, aliases):
            return None
        if isinstance(other, Loop) and _are_siblings(other, kernel):
            return place
    return None


def _are_siblings(a: Loop, b: Loop) -> bool:
    """Do both run over the same axes and read the same data?"""
    if [x.extent for x in a.axes] != [x.extent for x in b.axes] or not a.axes:
        return False
    if len(a.stores) + len(b.stores) > MOST_STORES or any(
        scatter_of(s.expr, True) for s in (*a.stores, *b.stores)
    ):
        return False
    return any(len(v.shape) >= len(a.axes) for v in a.reads & b.reads)


def _are_free(a: Kernel, b: Kernel, aliases: Mapping[Value, Value]) -> bool:
    """Does neither of two kernels write what the other one reads or writes?"""
    touched = [_with_memory(k.reads, aliases) for k in (a, b)]
    written = [_with_memory(writes(k), aliases) for k in (a, b)]
    return written[0].isdisjoint(touched[1] | written[1]) and written[1].isdisjoint(touched[0])


def _with_memory(values: Iterable[Any], aliases: Mapping[Value, Value]) -> set[Any]:
    return {*values, *(aliases[v] for v in values if v in aliases)}


def _joined(a: Loop, b: Loop) -> Loop:
    """b's stores over a's axes, its reductions along those of a where they are as long."""
    env: dict[Atom, int | Int] = {y: Int.of(x) for x, y in zip(a.axes, b.axes, strict=True)}
    known = [r for s in a.stores for r in loops.outermost_reductions(s.expr)]
    moved = [
        Store(s.target, tuple(substitute(i, env) for i in s.index), _aligned(s.expr.substitute(env), known))
        for s in b.stores
    ]
    return Loop(a.axes, (*a.stores, *moved), a.name, (*a.fused, *b.fused))


def _aligned(e: Expr, known: list[Expr]) -> Expr:
    """e with its outermost reductions along the axes of known ones that are as long."""
    return rewritten(e, lambda part: part, {r: _along(r, known) for r in loops.outermost_reductions(e)})


def _along(r: Expr, known: list[Expr]) -> Expr:
    kind, axes, part = r.attr
    for other in known:
        theirs: tuple[Axis, ...] = other.attr[1]
        if [x.extent for x in theirs] == [x.extent for x in axes] and other.attr[2] == part:
            env: dict[Atom, int | Int] = {y: Int.of(x) for x, y in zip(theirs, axes, strict=True)}
            return loops.reduction(kind, theirs, r.args[0].substitute(env), part)
    return r
