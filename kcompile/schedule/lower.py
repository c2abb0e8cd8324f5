"""Values as scalar expressions: the ops' `scalar` rules, composed until they meet values in memory."""

from __future__ import annotations

from collections.abc import Callable, Container

from kcompile.core.symbolic import Int, product
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.loops import Axis, Expr, Index
from kcompile.ir.traits import Leaf
from kcompile.ir.types import TensorType


class Operand:
    """An input inside a scalar rule: called with an index it gives its element; `type` tells the rest."""

    __slots__ = ("_element", "type")

    def __init__(self, type_: TensorType, element: Callable[[Index], Expr]):
        self.type, self._element = type_, element

    def __call__(self, index: Index) -> Expr:
        return self._element(index)


class Elements:
    """Expressions for elements of values. What `stored` contains is loaded; everything else is computed in
    place.
    """

    def __init__(self, stored: Container[Value]):
        self.stored = stored
        self._memo: dict[tuple[Value, Index], Expr] = {}

    def at(self, value: Value, index: Index) -> Expr:
        """The element of a value at an index: a load, or its expression."""
        if value in self.stored or is_leaf(value):
            return leaf(value, index)
        return self.compute(value, index)

    def compute(self, value: Value, index: Index) -> Expr:
        """The expression that computes an element, whether or not the value is stored."""
        key = (value, index)
        found = self._memo.get(key)
        if found is None:
            node = value.node
            inputs = [Operand(v.type, lambda i, v=v: self.at(v, i)) for v in node.inputs]  # type: ignore[misc]
            found = self._memo[key] = node.op.rules["scalar"](index, *inputs, out=value.type, **node.attrs)
        return found


def is_leaf(value: Value) -> bool:
    return value.op.leaf in (Leaf.PARAMETER, Leaf.VARIABLE, Leaf.CONSTANT)


def leaf(value: Value, index: Index) -> Expr:
    """A load; a constant of one element is the number itself."""
    if value.op.leaf is Leaf.CONSTANT and value.node.attrs["value"].array.size == 1:
        return loops.const(value.node.attrs["value"].array.item(), value.dtype)
    return loops.load(value, index, value.dtype)


def new_axes(value: Value) -> Index:
    """Fresh axes over the elements of a value."""
    return tuple(loops.axis(d) for d in value.shape)


# What an elementary scalar operation costs, in units of an addition per element.
COSTS = {
    "div": 4, "sqrt": 4, "rsqrt": 4, "exp": 8, "log": 8, "log1p": 10, "expm1": 10, "tanh": 10, "sigmoid": 10,
    "erf": 12, "normal_cdf": 14,
    "softplus": 14, "sin": 10, "cos": 10, "pow": 20, "atan2": 20, "floordiv": 4, "mod": 6,
    "philox_uniform": 40, "philox_bits": 40, "const": 0, "index": 0, "load": 1, "cast": 1, "acc": 0,
}  # fmt: skip
RECOMPUTED = frozenset({"philox_uniform", "philox_bits"})  # computed again rather than stored, by design


def cost(expr: Expr) -> int:
    """Rough work to compute one element, reductions times their extent (16 where it is symbolic)."""
    return sum(costs(expr).values())


def costs(expr: Expr) -> dict[Expr, int]:
    """The same of each part by itself."""
    memo: dict[Expr, int] = {}
    for part in loops.walk(expr):
        own = COSTS.get(part.op, 1)
        if part.op == "reduce":
            extent = product(a.extent or 1 for a in part.attr[1])
            own = (extent if isinstance(extent, int) else 16) * max(1, total(part.args[0]))
        memo[part] = own
    return memo


def total(expr: Expr) -> int:
    return sum(COSTS.get(p.op, 1) for p in loops.walk(expr) if p.op != "reduce")


def loads(expr: Expr) -> list[Expr]:
    return [part for part in loops.walk(expr) if part.op == "load"]


def reductions(expr: Expr) -> list[Expr]:
    return [part for part in loops.walk(expr) if part.op == "reduce"]


def reads_each_once(axes: tuple[Axis, ...], load: Expr, expr: Expr) -> bool:
    """Is every element loaded at most once: each index steps along an axis of its own, and no loop around
    repeats it?
    """
    used = []
    for position in load.attr[1]:
        if isinstance(position, int):
            continue
        moving = [(m, c) for m, c in position.terms if any(isinstance(a, Axis) for a in m)]
        if len(moving) != 1 or len(moving[0][0]) != 1 or abs(moving[0][1]) != 1:
            return False
        used.append(moving[0][0][0])
    around = [a for part in reductions(expr) for a in part.attr[1] if load in loops.walk(part.args[0])]
    outer = _loops_around(axes, load, expr)
    return len(set(used)) == len(used) and set(outer) | set(around) <= set(used)


def evaluations(axes: tuple[Axis, ...], load: Expr, expr: Expr) -> int | Int:
    """How often a load is evaluated: once per value of the loops around it."""
    bound = [a for part in reductions(expr) for a in part.attr[1] if a in load.free_axes]
    return product(a.extent or 1 for a in (*_loops_around(axes, load, expr), *bound))


def _loops_around(axes: tuple[Axis, ...], load: Expr, expr: Expr) -> tuple[Axis, ...]:
    """The axes down to the deepest one that the load uses, or that a reduction does whose axes it uses."""
    needed = set(load.free_axes)
    for part in reductions(expr):
        if not load.free_axes.isdisjoint(part.attr[1]):
            needed |= part.free_axes
    deepest = max((k for k, a in enumerate(axes) if a in needed), default=-1)
    return axes[: deepest + 1]
