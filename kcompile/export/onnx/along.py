"""Operators that work along axes, written for a tensor as it was before a transpose.

A rule sees the node and the permutation of its first input. It returns changed attributes, the inputs behind
those that are transposed, and how the result is to be transposed, where that is another way; None where the
operator cannot come before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.export.onnx import shapes
from kcompile.export.onnx.graph import OnnxGraph, OnnxNode

Perm = tuple[int, ...]
Changed = tuple[dict[str, Any], tuple[str, ...]] | tuple[dict[str, Any], tuple[str, ...], Perm]


def derived(graph: OnnxGraph, name: str, what: str, array: np.ndarray) -> str:
    """A constant made of another."""
    return graph.constant(f"{name}:{what}", array)


def _digits(perm: Perm) -> str:
    return "".join(map(str, perm))


def _axis(graph: OnnxGraph, node: OnnxNode, perm: Perm) -> Changed | None:
    return {"axis": perm[node.attrs.get("axis", -1)]}, () if node.op in TOGETHER else node.inputs[1:]


def _last_axes(graph: OnnxGraph, node: OnnxNode, perm: Perm) -> Changed | None:
    """Normalization over the last axes, where they stay that; in another order, with constants in it too."""
    axis = node.attrs.get("axis", -1) % len(perm)
    order = [p - axis for p in perm[axis:]]
    arrays = [graph.constants.get(name) for name in node.inputs[1:]]
    if len(node.outputs) > 1 or min(order) < 0:
        return None
    if order == sorted(order):
        return {}, node.inputs[1:]
    if any(array is None or array.ndim != len(order) for array in arrays):
        return None
    what = f"before{_digits(perm)}"
    return {}, tuple(
        derived(graph, name, what, array.transpose(np.argsort(order)))
        for name, array in zip(node.inputs[1:], arrays, strict=True)
        if array is not None
    )


def _each(graph: OnnxGraph, node: OnnxNode, perm: Perm) -> Changed | None:
    """One number for each axis."""
    numbers = graph.constants.get(node.inputs[1])
    if numbers is None or len(numbers) != len(perm):
        return None
    return {}, (derived(graph, node.inputs[1], f"of{_digits(perm)}", numbers[np.argsort(perm)]),)


def _along_one(graph: OnnxGraph, node: OnnxNode, perm: Perm) -> Changed | None:
    """The number of the axis is a constant."""
    axis = graph.constants.get(node.inputs[1])
    if axis is None:
        return None
    turned = np.array(perm[axis.item()], axis.dtype).reshape(axis.shape)
    return {}, (derived(graph, node.inputs[1], f"axis{_digits(perm)}", turned),)


def _without(graph: OnnxGraph, node: OnnxNode, perm: Perm) -> Changed | None:
    """Axes of size 1 fewer."""
    axes = graph.constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
    if axes is None:
        return None
    gone = [perm[a] for a in axes]
    left = [p for p in perm if p not in gone]
    name = derived(graph, node.inputs[1], f"axes{_digits(perm)}", np.array(gone, axes.dtype))
    return {}, (name,), tuple(sorted(left).index(p) for p in left)


def _with_more(graph: OnnxGraph, node: OnnxNode, perm: Perm) -> Changed | None:
    """Axes of size 1 more: behind the others, before the transpose."""
    axes = graph.constants.get(node.inputs[1])
    if axes is None:
        return None
    rank = len(perm) + len(axes)
    new = {int(a) % rank: len(perm) + k for k, a in enumerate(axes)}
    old = iter(perm)
    last = np.array([*new.values()], axes.dtype)
    name = derived(graph, node.inputs[1], f"axes{_digits(perm)}", last)
    return {}, (name,), tuple(new[k] if k in new else next(old) for k in range(rank))


def _pads(graph: OnnxGraph, node: OnnxNode, perm: Perm) -> Changed | None:
    pads = graph.constants.get(node.inputs[1])
    if pads is None:
        return None
    order = np.argsort(perm)
    turned = np.concatenate([side[order] for side in np.split(pads, 2)])
    return {}, (derived(graph, node.inputs[1], f"pads{_digits(perm)}", turned), *node.inputs[2:])


def _slices(graph: OnnxGraph, node: OnnxNode, perm: Perm) -> Changed | None:
    axes = graph.constants.get(node.inputs[3]) if len(node.inputs) > 3 else None
    if axes is None:
        return None
    turned = np.array([perm[a] for a in axes], axes.dtype)
    name = derived(graph, node.inputs[3], f"axes{_digits(perm)}", turned)
    return {}, (*node.inputs[1:3], name, *node.inputs[4:])


def _scales(graph: OnnxGraph, node: OnnxNode, perm: Perm) -> Changed | None:
    if "axes" in node.attrs:
        axes = [perm[a] for a in node.attrs["axes"]]
        changed = np.array([2 if k in axes else 1 for k in range(len(perm))])
        return ({"axes": axes}, node.inputs[1:]) if can_interpolate(node, changed) else None
    scales = graph.constants.get(node.inputs[2]) if len(node.inputs) == 3 else None
    if scales is None:
        return None
    turned = scales[np.argsort(perm)]
    if not can_interpolate(node, turned):
        return None
    return {}, ("", derived(graph, node.inputs[2], f"scales{_digits(perm)}", turned))


def can_interpolate(node: OnnxNode, scales: np.ndarray) -> bool:
    """Does onnxruntime resize along these axes? Between elements only along the last ones, or a linear one of
    images with channels last.
    """
    mode = node.attrs.get("mode", "nearest")
    if mode == "nearest" or len(scales) < 4 or (scales[:2] == 1).all():
        return True
    return bool(mode == "linear" and len(scales) == 4 and scales[0] == scales[3] == 1)


def _gathered(graph: OnnxGraph, node: OnnxNode, perm: Perm) -> Changed | None:
    """Axes of the indices come into the place of the one that is gathered along."""
    index = graph.constants.get(node.inputs[1])
    if index is None:
        return None
    axis, more = node.attrs.get("axis", 0) % len(perm), index.ndim - 1
    place = perm[axis]
    moved = [p + more * (p > place) for p in perm]
    moved[axis : axis + 1] = range(place, place + index.ndim)
    return {"axis": place}, node.inputs[1:], tuple(moved)


def _product(graph: OnnxGraph, node: OnnxNode, perm: Perm) -> Changed | None:
    """With a constant matrix, where the summed axis stays the last one.

    More than a matter of taste: onnxruntime 1.32 crashes on Transpose (1, 0, 2) before a MatMul of float16.
    """
    matrix = graph.constants.get(node.inputs[1])
    is_last = perm[-1] == len(perm) - 1 and len(perm) > 2
    return ({}, node.inputs[1:]) if is_last and matrix is not None and matrix.ndim == 2 else None


def _shape(graph: OnnxGraph, node: OnnxNode, perm: Perm) -> Changed | None:
    """A change of shape whose joined axes lie side by side before the transpose too."""
    before, after = (graph.types.get(name) for name in (node.inputs[0], node.outputs[0]))
    if before is None or after is None or node.attrs:
        return None
    turned = shapes.inverse(perm)
    order = shapes.across(before.shape, after.shape, turned)
    if order is None:
        return None
    target = shapes.template(shapes.permuted(before.shape, turned), shapes.permuted(after.shape, order))
    if target is None:
        return None
    return {}, (derived(graph, node.outputs[0], "shape", target),), shapes.inverse(order)


def reduced_axes(graph: OnnxGraph, node: OnnxNode) -> list[int] | None:
    """Over which axes a reduction goes, where that is known; None for other operators."""
    if node.op in POSITIONS:
        return [int(node.attrs.get("axis", 0))]
    if not node.op.startswith("Reduce"):
        return None
    if "axes" in node.attrs:
        return list(node.attrs["axes"])
    known = len(node.inputs) == 2 and node.inputs[1] in graph.constants
    return [int(a) for a in graph.constants[node.inputs[1]]] if known else None


POSITIONS = ("ArgMax", "ArgMin")  # reductions over one axis
TOGETHER = ("Concat", "GatherElements")  # all inputs are transposed
ALONG = {
    "Concat": _axis,
    "GatherElements": _axis,
    "Softmax": _axis,
    "LogSoftmax": _axis,
    "TopK": _axis,
    "CumSum": _along_one,
    "Tile": _each,
    "Expand": _each,
    "Squeeze": _without,
    "Unsqueeze": _with_more,
    "LayerNormalization": _last_axes,
    "RMSNormalization": _last_axes,
    "Pad": _pads,
    "Slice": _slices,
    "MatMul": _product,
    "Resize": _scales,
    "Gather": _gathered,
    "Reshape": _shape,
}
