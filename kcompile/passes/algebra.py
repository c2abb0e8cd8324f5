"""Local rules that change no bit of the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.core.dtypes import is_half, numpy_dtype
from kcompile.ir.graph import Graph, Node, Value, rebuild
from kcompile.ops.movement import reshape_op, transpose_op
from kcompile.ops.operands import cast_op

Rule = Callable[[Node, tuple[Value, ...]], Value | None]


def constant_value(v: Value) -> Any:
    """The number that all elements of v are, if v is a constant or a broadcast of one."""
    while v.op.name in ("broadcast_to", "reshape"):
        v = v.node.inputs[0]
    if v.op.name != "constant" or v.node.attrs["value"].array.size != 1:
        return None
    return v.node.attrs["value"].array.item()


def reshape_of_reshape(node: Node, inputs: tuple[Value, ...]) -> Value | None:
    x = inputs[0]
    if x.op is reshape_op:
        x = x.node.inputs[0]
        return x if x.shape == node.values[0].shape else reshape_op(x, shape=node.values[0].shape)
    return x if x.shape == node.values[0].shape else None


def transpose_of_transpose(node: Node, inputs: tuple[Value, ...]) -> Value | None:
    inner = inputs[0]
    if inner.op is not transpose_op:
        return None
    axes = tuple(inner.node.attrs["axes"][a] for a in node.attrs["axes"])
    x = inner.node.inputs[0]
    return x if axes == tuple(range(len(axes))) else transpose_op(x, axes=axes)


def broadcast_to_same_shape(node: Node, inputs: tuple[Value, ...]) -> Value | None:
    return inputs[0] if inputs[0].shape == node.values[0].shape else None


def multiply_by_one(node: Node, inputs: tuple[Value, ...]) -> Value | None:
    for x, other in (inputs, inputs[::-1]):
        if constant_value(other) == 1 and x.type == node.values[0].type:
            return x
    return None


def divide_by_one(node: Node, inputs: tuple[Value, ...]) -> Value | None:
    x, other = inputs
    return x if constant_value(other) == 1 and x.type == node.values[0].type else None


def copy_is_its_operand(node: Node, inputs: tuple[Value, ...]) -> Value | None:
    """Copies keep values apart while gradients are made; the planner makes its own."""
    return inputs[0]


def movement_of_widening(node: Node, inputs: tuple[Value, ...]) -> Value | None:
    """Two-byte floats are moved first and widened then: half the memory, and products see where they lie."""
    widening = inputs[0]
    if widening.op is not cast_op or widening.dtype != "float32":
        return None
    x = widening.node.inputs[0]
    filling = node.attrs.get("value", 0.0)  # of padding
    if not is_half(x.dtype) or float(np.asarray(filling, numpy_dtype(x.dtype))) != filling:
        return None
    return cast_op(node.op(x, **node.attrs), dtype="float32")


RULES: dict[str, tuple[Rule, ...]] = {
    "copy": (copy_is_its_operand,),
    "reshape": (reshape_of_reshape, movement_of_widening),
    "transpose": (transpose_of_transpose, movement_of_widening),
    "broadcast_to": (broadcast_to_same_shape, movement_of_widening),
    "pad": (movement_of_widening,),
    "slice": (movement_of_widening,),
    "multiply": (multiply_by_one,),
    "true_divide": (divide_by_one,),
}


def run(graph: Graph) -> Graph:
    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        for one in RULES.get(node.op.name, ()):
            found = one(node, inputs)
            if found is not None:
                return (found,)
        return None

    return rebuild(graph, rule)
