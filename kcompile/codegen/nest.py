"""A loop kernel before it is written: axes joined where memory allows, stores, work. The same for all
targets.
"""

from __future__ import annotations

from dataclasses import dataclass

from kcompile.codegen.collapse import can_join, joined, offsets_of
from kcompile.codegen.expressions import is_unrolled, resolve, size_of
from kcompile.codegen.scaled_tests import scaled
from kcompile.core import symbolic
from kcompile.core.dtypes import itemsize
from kcompile.core.symbolic import Atom, Int, product
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Loop
from kcompile.ir.loops import Axis, Expr, Index, axis_of
from kcompile.ir.rewriting import rewritten
from kcompile.ir.views import flat_offset
from kcompile.schedule.lower import COSTS
from kcompile.schedule.roles import hint

LINE = 64  # bytes
SHORT_SUM = 64  # elements
LANES = 8  # of a short vector

Joins = dict[tuple[Axis, Axis], tuple[Axis, dict[Atom, "int | Int"]]]
Offsets = dict[tuple[Value, Index], "int | Int"]


@dataclass
class StoreItem:
    """One store while the kernel is written."""

    target: Value
    index: Index
    expr: Expr
    inner: list[Axis]

    @property
    def offset(self) -> int | Int:
        return flat_offset(self.target, self.index)


class Nest:
    """Shared axes and stores of a loop, neighbouring axes joined; the memory offset of every load."""

    def __init__(self, kernel: Loop):
        self.shared = list(kernel.axes)
        self.items: list[StoreItem] = []
        for store in kernel.stores:
            inner = [a for a in (axis_of(i) for i in store.index) if a is not None and a not in self.shared]
            self.items.append(StoreItem(store.target, store.index, store.expr, inner))
        self.sizes = [product(i.target.shape) for i in self.items]
        self._collapse()
        self.shared = in_order_of_reads(self.shared, self.items)
        self.offsets: Offsets = {}
        for item in self.items:
            resolve(item.expr, self.offsets)

    def _collapse(self) -> None:
        # One memo for all: what stores share is computed once.
        same, memo = SharedAxes(), dict[Expr, Expr]()
        axes: Joins = {}
        for item in self.items:
            item.expr = join_reductions(same.of(item.expr), memo, axes)
        _join_all(self.shared, self.items)
        for item in self.items:
            _join_all(item.inner, [item])

    @property
    def work(self) -> int | Int:
        """Elements visited: those stored, and those of each reduction, which runs once where it changes."""
        found = {e for item in self.items for e in loops.walk(item.expr) if e.op == "reduce"}
        total: int | Int = 0
        for visited in (*self.sizes, *(size_of((*e.attr[1], *e.free_axes)) for e in found)):
            total = total + visited
        return total

    @property
    def flops(self) -> int | Int:
        total: int | Int = 0
        counted: set[Expr] = set()
        for item, size in zip(self.items, self.sizes, strict=True):
            found = [e for e in loops.walk(item.expr) if e.op == "reduce"]
            inside = {p for e in found for p in loops.walk(e.args[0])}
            reductions = [e for e in found if e not in counted]
            counted.update(found)
            total = total + size * sum(1 for p in loops.walk(item.expr) if p not in inside and _counts(p))
            for e in reductions:
                times = size_of((*e.attr[1], *e.free_axes))
                per = sum(1 for p in loops.walk(e.args[0]) if p.op == "reduce" or _counts(p))
                total = total + times * (1 + per)
        return total


def in_order_of_reads(axes: list[Axis], items: list[StoreItem]) -> list[Axis]:
    """The axes in the order in which they lie in what is read, if whole lines are stored in any order.

    What is read ahead of time lies side by side; a line that is stored is fetched without anybody waiting for
    it. (4 MB a core from pixels of 32 groups to 32 groups of pixels: 28 GB/s, in the other order 14.)
    """
    if len(axes) < 3 or any(i.inner for i in items):
        return axes
    *outer, last = axes
    if not all(_stores_lines(i, last) for i in items):
        return axes
    orders: set[tuple[Axis, ...]] = set()
    for part in {p for i in items for p in loops.walk(i.expr)}:
        if part.op == "reduce":
            return axes
        if part.op != "load":
            continue
        steps = {a: symbolic.coefficient_of(flat_offset(*part.attr), a) for a in axes}
        if any(step is None for step in steps.values()) or steps[last] not in (0, 1):
            return axes
        if all(hint(step) > 0 for step in steps.values() if step is not None):
            orders.add(tuple(sorted(outer, key=lambda a: -hint(steps[a] or 0))))
    return [*orders.pop(), last] if len(orders) == 1 else axes


def _stores_lines(item: StoreItem, axis: Axis) -> bool:
    size = hint(axis.extent or 1) * itemsize(item.target.dtype)
    return symbolic.coefficient_of(item.offset, axis) == 1 and size % LINE == 0


def _counts(e: Expr) -> bool:
    return COSTS.get(e.op, 1) > 0 and e.op not in ("load", "cast", "reduce")


def _join_all(axes: list[Axis], items: list[StoreItem]) -> None:
    k = 0
    while k + 1 < len(axes):
        if not _join(axes, k, items):
            k += 1


def _join(axes: list[Axis], k: int, items: list[StoreItem]) -> bool:
    first, second = axes[k], axes[k + 1]
    exprs = [i.expr for i in items]
    if not _walk_as_one(exprs, items, first, second):
        tests_scaled = scaled(exprs, first, second) if k + 2 == len(axes) else None
        if tests_scaled is None or not _walk_as_one(tests_scaled, items, first, second):
            return False
        exprs = tests_scaled
    axis, env = joined(first, second)
    axes[k : k + 2] = [axis]
    for item, expr in zip(items, exprs, strict=True):
        item.index = tuple(symbolic.substitute(i, env) for i in item.index)
        item.expr = expr.substitute(env)
    return True


def _walk_as_one(exprs: list[Expr], items: list[StoreItem], first: Axis, second: Axis) -> bool:
    flat: Offsets = {}
    for e in exprs:
        resolve(e, flat)
    return can_join(first, second, offsets_of(exprs, [i.offset for i in items], flat))


def column_reductions(e: Expr, axis: Axis) -> list[Expr]:
    """Reductions in e that keep `axis` and whose loads run along it in memory.

    One inside of another (the mean inside of a variance) comes first, if it is the same in all its steps.
    """
    found: list[Expr] = []
    seen: set[tuple[Expr, frozenset[Atom]]] = set()

    def visit(part: Expr, inside: frozenset[Atom]) -> None:
        if (part, inside) in seen:
            return
        seen.add((part, inside))
        if part.op != "reduce" or is_unrolled(part) or axis not in part.free_axes:
            for a in part.args:
                visit(a, inside)
            return
        if not part.free_axes.isdisjoint(inside):
            return
        visit(part.args[0], inside | frozenset(part.attr[1]))
        if _runs_along(part, axis):
            found.append(part)

    visit(e, frozenset())
    return found


def _runs_along(r: Expr, axis: Axis) -> bool:
    """Of the loads that change along `axis`, do more step by one element along it than along the reduction's
    own last axis?
    """
    last = r.attr[1][-1]
    score, moves = 0, False
    for part in loops.walk(r.args[0]):
        if part.op == "load":
            offset = flat_offset(*part.attr)
            step = symbolic.coefficient_of(offset, axis)
            score += step == 1
            score -= step != 0 and symbolic.coefficient_of(offset, last) == 1
            moves |= step != 0
    return score > 0 or (not moves and _is_short(r) and _is_row(axis))


def _is_short(r: Expr) -> bool:
    """Would a sum along the row be mostly the sum of a vector's own lanes?"""
    total = size_of(r.attr[1])
    return isinstance(total, int) and total <= SHORT_SUM


def _is_row(axis: Axis) -> bool:
    return not isinstance(axis.extent, int) or axis.extent >= LANES


class SharedAxes:
    """Reductions that differ in no more than the names of their axes become one: equal loops run once."""

    def __init__(self) -> None:
        self._memo: dict[Expr, Expr] = {}
        self._depths: dict[Expr, int] = {}
        self._axes: dict[tuple[int, int, int | Int], Axis] = {}

    def of(self, e: Expr) -> Expr:
        if e not in self._memo:
            new = loops.with_args(e, tuple(self.of(a) for a in e.args))
            self._memo[e] = self._renamed(new) if new.op == "reduce" else new
        return self._memo[e]

    def _renamed(self, r: Expr) -> Expr:
        """With the axes of all reductions of these extents that hold as many others inside of each other."""
        kind, axes, part = r.attr
        depth = self._depth(r)
        env: dict[Atom, int | Int] = {}
        for k, a in enumerate(axes):
            shared = self._axes.setdefault((depth, k, a.extent), a)
            env[a] = Int.of(shared)
        changed = tuple(axis_of(env[a]) or a for a in axes)
        return loops.reduction(kind, changed, r.args[0].substitute(env), part)

    def _depth(self, e: Expr) -> int:
        if e not in self._depths:
            inside = max((self._depth(a) for a in e.args), default=0)
            self._depths[e] = inside + (e.op == "reduce")
        return self._depths[e]


def join_reductions(e: Expr, memo: dict[Expr, Expr], axes: Joins) -> Expr:
    """Neighbouring axes of each reduction joined where all loads allow it. axes: what is joined already."""

    return rewritten(e, lambda p: _joined_reduction(p, axes) if p.op == "reduce" else p, memo)


def _joined_reduction(r: Expr, known: Joins) -> Expr:
    kind, axes, part = r.attr
    body, axes, k = r.args[0], list(axes), 0 if part is None else 1
    while k + 1 < len(axes):
        flat: dict[tuple[Value, Index], int | Int] = {}
        resolve(body, flat)
        if can_join(axes[k], axes[k + 1], offsets_of([body], [], flat)):
            pair = axes[k], axes[k + 1]
            if pair not in known:
                known[pair] = joined(*pair)
            axis, env = known[pair]
            axes[k : k + 2] = [axis]
            body = body.substitute(env)
        else:
            k += 1
    return loops.reduction(kind, tuple(axes), body, part)
