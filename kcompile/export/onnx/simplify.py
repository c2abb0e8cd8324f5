"""Shorter forms of what rules wrote: each rule looks at a node and at the makers of its inputs.

A rule returns the nodes that take the place of the one it was shown, or None. What they no longer read is
dropped at the end; a rule fires only where nothing else needs what lies between.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np

from kcompile.core import dtypes
from kcompile.export.onnx import columns
from kcompile.export.onnx.along import can_interpolate
from kcompile.export.onnx.builder import AXES_AS_INPUT_ALL
from kcompile.export.onnx.choices import chosen_twice, swapped_choice
from kcompile.export.onnx.graph import Links, OnnxGraph, OnnxNode
from kcompile.export.onnx.layout import PLAIN, layouts, moves
from kcompile.export.onnx.lines import Line, one_line
from kcompile.export.onnx.movement import (
    affine,
    moved_groups,
    moved_ones,
    reshaped_twice,
    transposed_twice,
)
from kcompile.export.onnx.parts import limited, looked_up, ordered_values, reversed_twice
from kcompile.export.onnx.products import (
    batched_product,
    gemm,
    plain_product,
    projection,
    transposed_product,
)
from kcompile.export.onnx.rows import turned_before, within_reshapes
from kcompile.export.onnx.schema import NotInOpset, schema_of
from kcompile.export.onnx.wholes import cast_there_and_back, limited_already

Rule = Callable[["Around", OnnxNode], list[OnnxNode] | None]
CLIPS = ("float32", "float64", "int32", "int64")


class Around(Links):
    """What a rule sees of a graph: who makes a tensor, who else reads it, what is constant."""

    def __init__(self, graph: OnnxGraph):
        super().__init__(graph)
        self.lines: dict[str, Line | None] = {}

    def array(self, name: str) -> np.ndarray | None:
        """A constant."""
        return self.graph.constants.get(name)

    def scalar(self, name: str) -> str | None:
        """The name of a constant of one number without dimensions, as that of another is."""
        array = self.array(name)
        if array is None or array.size != 1:
            return None
        if array.ndim == 0:
            return name
        return self.constant(f"{name}:scalar", array.reshape(()))

    def constant(self, name: str, array: np.ndarray) -> str:
        """A constant under this name, or one like it."""
        return self.graph.constant(name, array)

    def rank(self, name: str) -> int | None:
        """The number of dimensions, where it is known."""
        array, type_ = self.array(name), self.graph.types.get(name)
        return type_.rank if type_ is not None else array.ndim if array is not None else None

    def is_as_wide(self, x: str, *others: str) -> bool:
        """Has x as many dimensions as the others?"""
        rank = self.rank(x)
        return rank is not None and all((self.rank(o) or 0) <= rank for o in others)

    def dtype(self, name: str) -> str:
        """The dtype, where it is known."""
        array, type_ = self.array(name), self.graph.types.get(name)
        if type_ is not None:
            return type_.dtype
        return "" if array is None else dtypes.standardize(array.dtype)


def run(graph: OnnxGraph) -> None:
    """Apply the rules until none fires."""
    while _round(graph, RULES) or columns.order_read(graph):
        graph.drop_unused()


def write_products(graph: OnnxGraph) -> None:
    """Apply the rules for Einsum and for rows alone, so that transposes find products that they can pass."""
    while _round(graph, EINSUMS | {"Reshape": (within_reshapes,)}):
        graph.drop_unused()


def write_lines(graph: OnnxGraph) -> None:
    """Batch normalization of a tensor that nothing else turns is a product and a sum."""
    (wanted, _), turned = layouts(graph), set[str]()
    for node in graph.nodes:
        if node.op == "Transpose" or (moves(node) and turned.intersection(node.inputs)):
            turned.update(node.outputs)

    def rule(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
        made = affine(around, node) if wanted.get(node.outputs[0]) == {PLAIN} else None
        return None if made is None or made[0].inputs[0] in turned else made

    _round(graph, {"Transpose": (rule,)})


def _round(graph: OnnxGraph, rules: dict[str, tuple[Rule, ...]]) -> bool:
    around, fired, nodes = Around(graph), False, list[OnnxNode]()
    for node in graph.nodes:
        made = next(filter(None, (rule(around, node) for rule in rules.get(node.op, ()))), None)
        nodes += [node] if made is None else made
        fired |= made is not None
    graph.nodes = nodes
    return fired


# --- arithmetic ---------------------------------------------------------------------------------------------


def quotient(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """x times 1 / y is x / y."""
    for x, y in (node.inputs, node.inputs[::-1]):
        inverse = around.made(y, "Reciprocal")
        if inverse is not None and x != y:
            return [replace(node, op="Div", inputs=(x, inverse.inputs[0]))]
    return None


def nothing_changed(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """x plus the number 0, or times 1; weights stay, whatever they hold."""
    for x, number in (node.inputs, node.inputs[::-1]):
        array, types = around.array(number), [around.graph.types.get(name) for name in (x, node.outputs[0])]
        neutral = array is not None and array.ndim == 0 and array == (node.op == "Mul")
        if neutral and types[0] == types[1] is not None:
            return [OnnxNode("Identity", (x,), node.outputs)]
    return None


def same_shape_again(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """A shape that is given up for a Cast and taken on again."""
    cast = around.made(node.inputs[0], "Cast")
    shaped = around.made(cast.inputs[0], "Reshape") if cast is not None else None
    if cast is None or shaped is None:
        return None
    before, after = (around.graph.types.get(name) for name in (shaped.inputs[0], node.outputs[0]))
    if before is None or after is None or before.shape != after.shape:
        return None
    return [replace(cast, inputs=(shaped.inputs[0],), outputs=node.outputs)]


def squares(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """The sum of x times x."""
    square = around.made(node.inputs[0], "Mul")
    axes = around.array(node.inputs[1]) if len(node.inputs) == 2 else None
    if square is None or axes is None or len(set(square.inputs)) > 1:
        return None
    if around.dtype(node.outputs[0]) != "float32":
        return None
    if around.graph.opset >= AXES_AS_INPUT_ALL:
        return [replace(node, op="ReduceSumSquare", inputs=(square.inputs[0], node.inputs[1]))]
    attrs = {**node.attrs, "axes": [int(a) for a in axes]}
    return [replace(node, op="ReduceSumSquare", inputs=(square.inputs[0],), attrs=attrs)]


def norm(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """The root of a sum of squares."""
    total = around.made(node.inputs[0], "ReduceSumSquare")
    return None if total is None else [replace(total, op="ReduceL2", outputs=node.outputs)]


def clip(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """min(max(x, low), high) for two numbers, low <= high, in either order."""
    other = {"Min": "Max", "Max": "Min"}[node.op]
    if len(node.inputs) != 2 or around.dtype(node.outputs[0]) not in CLIPS:
        return None
    for x, bound in (node.inputs, node.inputs[::-1]):
        inner, outer = around.made(x, other), around.scalar(bound)
        if inner is None or outer is None or len(inner.inputs) != 2:
            continue
        for source, name in (inner.inputs, inner.inputs[::-1]):
            second = around.scalar(name)
            if second is None or source in around.graph.constants:
                continue
            low, high = (outer, second) if node.op == "Max" else (second, outer)
            if around.graph.constants[low] <= around.graph.constants[high] and around.is_as_wide(
                source, bound, name
            ):
                return [replace(node, op="Clip", inputs=(source, low, high))]
    return None


def clip_of_relu(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """min(relu(x), high) for a number that is at least 0."""
    for x, bound in (node.inputs, node.inputs[::-1]) if len(node.inputs) == 2 else ():
        relu = around.made(x, "Relu")
        if relu is not None and around.scalar(bound) is not None:
            return _clip_from_zero(around, node, relu.inputs[0], bound)
    return None


def relu_of_min(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """As above, in the other order."""
    least = around.made(node.inputs[0], "Min")
    if least is None or len(least.inputs) != 2:
        return None
    for x, bound in (least.inputs, least.inputs[::-1]):
        if around.scalar(bound) is not None:
            return _clip_from_zero(around, node, x, bound)
    return None


def _clip_from_zero(around: Around, node: OnnxNode, x: str, bound: str) -> list[OnnxNode] | None:
    high = str(around.scalar(bound))
    number = around.graph.constants[high]
    if around.dtype(node.outputs[0]) not in CLIPS or not number >= 0 or not around.is_as_wide(x, bound):
        return None
    low = around.constant(f"{node.outputs[0]}:low", np.zeros_like(number))
    return [replace(node, op="Clip", inputs=(x, low, high))]


def leaky(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """The larger of x and a part of x."""
    for part, x in (node.inputs, node.inputs[::-1]) if len(node.inputs) == 2 else ():
        scaled = around.made(part, "Mul")
        if scaled is None or x not in scaled.inputs or around.dtype(x) != "float32":
            continue
        [slope] = [around.array(name) for name in scaled.inputs if name != x] or [None]
        if slope is not None and slope.ndim == 0 and 0 < slope < 1:
            attrs = {"alpha": float(slope)}
            return [replace(node, op="LeakyRelu", inputs=(x,), attrs=attrs, label=node.label_as("LeakyRelu"))]
    return None


def mish(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """x tanh(softplus(x)), in opsets that have it."""
    for x, other in (node.inputs, node.inputs[::-1]):
        bent = around.made(other, "Tanh")
        soft = around.made(bent.inputs[0], "Softplus") if bent is not None else None
        if soft is not None and soft.inputs[0] == x and around.dtype(x) == "float32":
            with suppress(NotInOpset):
                schema_of("Mish", around.graph.opset)
                return [replace(node, op="Mish", inputs=(x,))]
    return None


def cube(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """x times x times x, which onnxruntime computes of a third power too."""
    for square, x in (node.inputs, node.inputs[::-1]):
        inner = around.made(square, "Mul")
        if inner is not None and set(inner.inputs) == {x} and around.dtype(x) == "float32":
            three = around.constant(f"{node.outputs[0]}:three", np.array(3, np.float32))
            return [replace(node, op="Pow", inputs=(x, three), label=node.label_as("Pow"))]
    return None


def clipped_relu(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """What is cut off between two numbers needs no Relu before, if the lower one is not below 0.

    More than a node less: onnxruntime 1.32 cannot read Relu and Clip of float64, one after the other.
    """
    relu, bounds = around.made(node.inputs[0], "Relu"), [around.array(name) for name in node.inputs[1:]]
    if relu is None or len(bounds) != 2 or bounds[0] is None or bounds[1] is None:
        return None
    low = np.minimum(np.maximum(bounds[0], 0), bounds[1]).astype(bounds[0].dtype)
    name = node.inputs[1] if low == bounds[0] else around.constant(f"{node.outputs[0]}:low", low)
    return [replace(node, inputs=(relu.inputs[0], name, node.inputs[2]))]


def resize(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """Enlarging along one axis, then along another."""
    first = around.made(node.inputs[0], "Resize")
    if first is None or first.attrs != node.attrs or len(first.inputs) != 3 or len(node.inputs) != 3:
        return None
    a, b = (around.array(n.inputs[2]) for n in (first, node))
    if a is None or b is None or ((a != 1) & (b != 1)).any() or not can_interpolate(node, a * b):
        return None
    scales = around.constant(f"{node.outputs[0]}:scales", a * b)
    return [replace(node, inputs=(first.inputs[0], "", scales))]


EINSUMS: dict[str, tuple[Rule, ...]] = {"Einsum": (plain_product, projection, batched_product)}
RULES: dict[str, tuple[Rule, ...]] = {
    "Mul": (nothing_changed, quotient, mish, cube, one_line),
    "Div": (one_line,),
    "Sub": (one_line,),
    "Unsqueeze": (same_shape_again,),
    "Where": (swapped_choice, chosen_twice, limited),
    "GatherElements": (ordered_values,),
    "ReduceSum": (squares,),
    "Sqrt": (norm,),
    "Min": (clip, clip_of_relu),
    "Relu": (relu_of_min,),
    "Max": (clip, leaky),
    "Clip": (clipped_relu, limited_already),
    "Cast": (cast_there_and_back,),
    "Add": (nothing_changed, gemm, one_line),
    "MatMul": (transposed_product,),
    **EINSUMS,
    "Resize": (resize,),
    "Transpose": (affine, transposed_twice, moved_ones, moved_groups, turned_before),
    "Reshape": (reshaped_twice, looked_up),
    "Slice": (reversed_twice,),
}
