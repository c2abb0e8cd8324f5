"""Transposes and changes of shape: which of them one does for, and what works without."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kcompile.export.onnx import batch_norm, shapes
from kcompile.export.onnx.graph import OnnxNode
from kcompile.export.onnx.layout import UNARY

if TYPE_CHECKING:
    from kcompile.export.onnx.simplify import Around


def transposed_twice(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """Two transposes are one, or none."""
    first = around.made(node.inputs[0], "Transpose")
    if first is None:
        return None
    perm = [first.attrs["perm"][k] for k in node.attrs["perm"]]
    if perm == sorted(perm):
        return [OnnxNode("Identity", first.inputs, node.outputs)]
    return [replace(node, inputs=first.inputs, attrs={"perm": perm})]


def moved_groups(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """A transpose, a change of shape and a transpose that keeps together what it split: one comes before."""
    shaped = around.made(node.inputs[0], "Reshape")
    first = around.made(shaped.inputs[0], "Transpose") if shaped is not None else None
    if shaped is None or first is None or shaped.attrs:
        return None
    before, after = (around.graph.types.get(name) for name in (first.outputs[0], shaped.outputs[0]))
    if before is None or after is None:
        return None
    order = shapes.across(after.shape, before.shape, node.attrs["perm"])
    if order is None:
        return None
    moved = shapes.permuted(before.shape, order)
    result = shapes.permuted(after.shape, node.attrs["perm"])
    target = shapes.template(moved, result)
    if target is None:
        return None
    name = f"{node.outputs[0]}:moved"
    around.graph.types[name] = replace(before, shape=moved)
    around.graph.types.setdefault(node.outputs[0], replace(after, shape=result))
    perm = [first.attrs["perm"][k] for k in order]
    turned = OnnxNode("Transpose", first.inputs, (name,), {"perm": perm}, label=first.name)
    inputs = (name, around.constant(f"{node.outputs[0]}:shape", target))
    return [turned, replace(shaped, inputs=inputs, outputs=node.outputs, label=shaped.name)]


def moved_ones(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """A transpose that moves dimensions of size 1 only is a change of shape."""
    type_, perm = around.graph.types.get(node.inputs[0]), node.attrs["perm"]
    if type_ is None or not shapes.moves_ones(type_.shape, perm):
        return None
    around.graph.types.setdefault(node.outputs[0], replace(type_, shape=shapes.permuted(type_.shape, perm)))
    return _reshaped(around, node.inputs[0], node.outputs[0])


def reshaped_twice(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """Two changes of shape are one, or none."""
    first = around.made(node.inputs[0], "Reshape")
    return (
        None
        if first is None or first.attrs or node.attrs
        else _reshaped(around, first.inputs[0], node.outputs[0])
    )


def _reshaped(around: Around, x: str, result: str) -> list[OnnxNode] | None:
    """x in the shape that the result is known to have, if a constant can say it."""
    before, after = (around.graph.types.get(name) for name in (x, result))
    if before is None or after is None or 0 in after.shape:
        return None
    if before.shape == after.shape:
        return [OnnxNode("Identity", (x,), (result,))]
    target = shapes.template(before.shape, after.shape)
    if target is None:
        return None
    return [OnnxNode("Reshape", (x, around.constant(f"{result}:shape", target)), (result,))]


def affine(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """Batch normalization between two transposes is a product and a sum in the layout outside of them.

    What works on each element may stand behind it.
    """
    behind, name = around.chain(node.inputs[0], lambda one: one.inputs[0] if one.op in UNARY else None)
    norm = around.made(name, "BatchNormalization")
    before = around.makers.get(norm.inputs[0]) if norm is not None else None
    if norm is None or before is None or before.op != "Transpose":
        return None
    there, back = before.attrs["perm"], node.attrs["perm"]
    known = all(name in around.graph.constants for name in norm.inputs[1:5])
    if [there[k] for k in back] != list(range(len(back))) or not known:
        return None
    factor, term = batch_norm.factors(around.graph, norm)
    shape = [-1 if k == there[1] else 1 for k in range(len(there))]
    kind = around.graph.constants[norm.inputs[1]].dtype
    along = [
        around.constant(f"{name}:{what}", a.reshape(shape).astype(kind))
        for name, what, a in (
            (norm.inputs[1], "factor", factor), (norm.inputs[2], "term", term)
        )
    ]  # fmt: skip
    product = f"{norm.outputs[0]}:scaled"
    nodes = [
        OnnxNode("Mul", (before.inputs[0], along[0]), (product,)),
        OnnxNode("Add", (product, along[1]), (f"{norm.outputs[0]}:outside",)),
    ]
    for one in behind:
        inputs = (nodes[-1].outputs[0], *one.inputs[1:])
        nodes.append(replace(one, inputs=inputs, outputs=(f"{one.outputs[0]}:outside",), label=one.name))
    return [*nodes[:-1], replace(nodes[-1], outputs=node.outputs)]
