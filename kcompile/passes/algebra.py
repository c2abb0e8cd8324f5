"""Local rules that change no bit of the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.core.dtypes import is_half, numpy_dtype
from kcompile.ir.graph import Graph, Node, Value, rebuild
from kcompile.ir.traits import Leaf
from kcompile.ops import elementwise as ew

Rule = Callable[[Node, tuple[Value, ...]], Value | None]


def constant_value(v: Value) -> Any:
    """The number that all elements of v are, if v is a constant or a broadcast of one."""
    while v.op.has("view"):
        v = v.node.inputs[0]
    if v.op.leaf is not Leaf.CONSTANT or v.node.attrs["value"].array.size != 1:
        return None
    return v.node.attrs["value"].array.item()


def simpler(node: Node, inputs: tuple[Value, ...]) -> Value | None:
    """What the op itself knows to be the same."""
    rule = node.op.rules.get("simplify")
    found: Value | None = None if rule is None else rule(node.values[0].type, *inputs, **node.attrs)
    return found


def without_identity(node: Node, inputs: tuple[Value, ...]) -> Value | None:
    """x * 1, 1 * x, x / 1."""
    traits = node.op.traits
    if traits.right_identity is None:
        return None
    for x, other in (inputs, inputs[::-1]) if traits.monoid else (inputs,):
        if constant_value(other) == traits.right_identity and x.type == node.values[0].type:
            return x
    return None


def movement_of_widening(node: Node, inputs: tuple[Value, ...]) -> Value | None:
    """Two-byte floats are moved first and widened then: half the memory, and products see where they lie."""
    if not node.op.traits.moves or not inputs[0].op.traits.converts or inputs[0].dtype != "float32":
        return None
    x = inputs[0].node.inputs[0]
    filling = node.attrs.get("value", 0.0)  # of padding
    if not is_half(x.dtype) or float(np.asarray(filling, numpy_dtype(x.dtype))) != filling:
        return None
    return ew.cast(node.op(x, **node.attrs), "float32")


RULES: tuple[Rule, ...] = (simpler, without_identity, movement_of_widening)


def run(graph: Graph) -> Graph:
    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        for one in RULES:
            found = one(node, inputs)
            if found is not None:
                return (found,)
        return None

    return rebuild(graph, rule)
