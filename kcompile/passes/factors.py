"""Factors that are the same along a sum's axes are taken out of the sum.

In the gradient of a normalization several sums of the same data differ in such a factor, the deviation of a
row or a channel. Without it they do not wait for the deviation: all of them are one pass over the data.
"""

from __future__ import annotations

from kcompile.core import symbolic
from kcompile.ir.graph import Graph, Node, Value, rebuild
from kcompile.ir.types import Shape
from kcompile.ops import elementwise as ew
from kcompile.ops import movement


def run(graph: Graph) -> Graph:
    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if not node.op.traits.sums or inputs[0].dtype not in ("float32", "float64"):
            return None  # whole numbers and halves overflow in other places then
        found = _without_factors(node, inputs[0]) if _is_of_something(node) else None
        return None if found is None else (found,)

    return rebuild(graph, rule)


def _without_factors(node: Node, x: Value) -> Value | None:
    """The sum of x as one of less, times what was taken out; None where nothing is."""
    traits, operands = x.op.traits, x.node.inputs
    if traits.linear and len(operands) == 1 and operands[0].type == x.type and not x.node.attrs:
        return x.op(_sum(node, operands[0]))  # the sign
    if traits.monoid != "product":
        return None
    for rest, factor in (operands, operands[::-1]):
        if rest.type == x.type and factor.dtype == x.dtype and _is_constant_along(node, factor, len(x.shape)):
            return ew.multiply(_sum(node, rest), movement.reshape(factor, _shape_beside(node, factor, x)))
    return None


def _sum(node: Node, x: Value) -> Value:
    found: Value | None = _without_factors(node, x)
    return node.op(x, **node.attrs) if found is None else found


def _is_constant_along(node: Node, factor: Value, rank: int) -> bool:
    missing = rank - len(factor.shape)
    return all(axis < missing or factor.shape[axis - missing] == 1 for axis in node.attrs["axes"])


def _is_of_something(node: Node) -> bool:
    """Is there an element along each axis? The sum of nothing is 0, whatever the factor is."""
    return all(symbolic.is_nonnegative(node.inputs[0].shape[axis] - 1) for axis in node.attrs["axes"])


def _shape_beside(node: Node, factor: Value, x: Value) -> Shape:
    """The factor's shape without the axes that the sum drops."""
    if node.attrs["keepdims"]:
        return factor.shape
    missing = len(x.shape) - len(factor.shape)
    return tuple(d for k, d in enumerate(factor.shape, missing) if k not in node.attrs["axes"])
