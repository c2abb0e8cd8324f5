"""Factors that are the same along a sum's axes are taken out of the sum, and sums that are summed again.

In the gradient of a normalization several sums of the same data differ in such a factor, the deviation of a
row or a channel. Without it they do not wait for the deviation: all of them are one pass over the data. And
what is summed over all samples, too, is the sum of what each sample has.
"""

from __future__ import annotations

from functools import reduce

from kcompile.core import symbolic
from kcompile.ir.graph import Graph, Node, Value, rebuild
from kcompile.ir.types import Shape
from kcompile.ops import elementwise as ew
from kcompile.ops import movement


def run(graph: Graph) -> Graph:
    return rebuild(_without_repetition(rebuild(graph, _taken_out)), _taken_out)


def _taken_out(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
    found = _without_factors(node, inputs[0]) if _is_sum(node) and _is_of_something(node) else None
    return None if found is None else (found,)


def _is_sum(node: Node) -> bool:
    """Whole numbers and halves overflow in other places if they are scaled later."""
    return node.op.traits.sums and node.inputs[0].dtype in ("float32", "float64")


def _without_factors(node: Node, x: Value) -> Value | None:
    """The sum of x as one of less, times what was taken out; None where nothing is."""
    traits, operands = x.op.traits, x.node.inputs
    if traits.linear and len(operands) == 1 and operands[0].type == x.type and not x.node.attrs:
        return x.op(_sum(node, operands[0]))  # the sign
    own = factors_of(x)
    outside: list[Value] = []
    rest: list[Value] = []
    for f in own:
        leaves = f.dtype == x.dtype and _is_constant_along(node.attrs["axes"], f, x)
        (outside if leaves else rest).append(f)
    if not outside or not any(f.type == x.type for f in rest):
        return None
    total = _sum(node, reduce(ew.multiply, rest))
    return reduce(
        lambda product, f: ew.multiply(product, movement.reshape(f, _shape_beside(node, f, x))),
        outside,
        total,
    )


def _sum(node: Node, x: Value) -> Value:
    found: Value | None = _without_factors(node, x)
    return node.op(x, **node.attrs) if found is None else found


def factors_of(x: Value) -> list[Value]:
    """What x is a product of, products of products taken apart."""
    if x.op.traits.monoid != "product":
        return [x]
    return [f for operand in x.node.inputs for f in factors_of(operand)]


def _without_repetition(graph: Graph) -> Graph:
    """A sum over more axes of what another sum adds up over some of them adds up what that one found.

    What else there is a factor of must be the same along the axes of the other one.
    """
    known: dict[Value, list[Node]] = {}  # sums by a factor of theirs
    for node in graph.nodes():
        if _is_sum(node):
            for f in factors_of(node.inputs[0]):
                known.setdefault(f, []).append(node)

    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if not _is_sum(node):
            return None
        x = inputs[0]
        own = factors_of(x)
        candidates = dict.fromkeys(other for f in own for other in known.get(f, ()))
        for other in candidates:
            others = other.inputs[0]
            rest = _rest(own, factors_of(others))
            axes = other.attrs["axes"]
            if rest is None or others.type != x.type or not set(axes) < set(node.attrs["axes"]):
                continue
            if rest and not _is_of_something(other):
                continue
            if all(f.dtype == x.dtype and _is_constant_along(axes, f, x) for f in rest):
                kept = tuple(1 if k in axes else d for k, d in enumerate(x.shape))
                found = reduce(ew.multiply, rest, movement.reshape(other.values[0], kept))
                return (node.op(found, **node.attrs),)
        return None

    return rebuild(graph, rule)


def _rest(factors: list[Value], some: list[Value]) -> list[Value] | None:
    """The factors without these; None where they are not among them."""
    left = list(factors)
    for f in some:
        place = next((k for k, one in enumerate(left) if one is f), None)
        if place is None:
            return None
        del left[place]
    return left


def _is_constant_along(axes: tuple[int, ...], factor: Value, x: Value) -> bool:
    missing = len(x.shape) - len(factor.shape)
    return all(axis < missing or factor.shape[axis - missing] == 1 for axis in axes)


def _is_of_something(node: Node) -> bool:
    """Is there an element along each axis? The sum of nothing is 0, whatever the factor is."""
    return all(symbolic.is_nonnegative(node.inputs[0].shape[axis] - 1) for axis in node.attrs["axes"])


def _shape_beside(node: Node, factor: Value, x: Value) -> Shape:
    """The factor's shape without the axes that the sum drops."""
    if node.attrs["keepdims"]:
        return factor.shape
    missing = len(x.shape) - len(factor.shape)
    return tuple(d for k, d in enumerate(factor.shape, missing) if k not in node.attrs["axes"])
