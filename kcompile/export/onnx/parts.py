"""Parts of tensors: what one operator gives that several took."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kcompile.export.onnx.graph import OnnxGraph, OnnxNode

if TYPE_CHECKING:
    from kcompile.export.onnx.simplify import Around

Piece = tuple[int, int, OnnxNode]  # first and last position of a slice, and the slice


def ordered_values(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """Elements gathered by the positions that TopK found are what TopK gives beside them."""
    x, positions = node.inputs
    cast = around.makers.get(positions)
    found = cast.inputs[0] if cast is not None and cast.op == "Cast" else positions
    order, rank = around.made(found, "TopK"), around.rank(x)
    if order is None or found != order.outputs[1] or order.inputs[0] != x or rank is None:
        return None
    if node.attrs["axis"] % rank != order.attrs["axis"] % rank:
        return None
    return [OnnxNode("Identity", (order.outputs[0],), node.outputs)]


def limited(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """x where it lies between two numbers, else the nearer one: Where(x > b, b, Where(x < a, a, x))."""
    for above, other in (("Greater", "Less"), ("Less", "Greater")):
        outer, inner = around.made(node.inputs[0], above), around.made(node.inputs[2], "Where")
        within = around.made(inner.inputs[0], other) if inner is not None else None
        if outer is None or inner is None or within is None:
            continue
        x = inner.inputs[2]
        bounds = [_bound(around, test, choice, x) for test, choice in ((within, inner), (outer, node))]
        if None in bounds or around.dtype(x) != "float32":
            continue
        if not around.is_as_wide(x, outer.inputs[1], within.inputs[1], node.inputs[1], inner.inputs[1]):
            continue
        low, high = bounds if above == "Greater" else bounds[::-1]
        assert low is not None and high is not None
        if around.graph.constants[low] <= around.graph.constants[high]:
            return [replace(node, op="Clip", inputs=(x, low, high), attrs={})]
    return None


def _bound(around: Around, test: OnnxNode, choice: OnnxNode, x: str) -> str | None:
    """The number that x is compared with and replaced by, if it is one."""
    first, second = (around.array(name) for name in (test.inputs[1], choice.inputs[1]))
    if test.inputs[0] != x or first is None or second is None or not first.size == second.size == 1:
        return None
    if first.item() != second.item():
        return None
    return around.scalar(test.inputs[1])


def reversed_twice(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """An order that is turned round, and round again."""
    first = around.made(node.inputs[0], "Slice")
    axes = [None if n is None else _turned_axis(around, n) for n in (first, node)]
    if first is None or axes[0] is None or axes[0] != axes[1]:
        return None
    return [OnnxNode("Identity", (first.inputs[0],), node.outputs)]


def _turned_axis(around: Around, node: OnnxNode) -> int | None:
    """The axis that a slice takes whole, from its end to its beginning."""
    numbers, type_ = [around.array(name) for name in node.inputs[1:]], around.graph.types.get(node.inputs[0])
    if type_ is None or len(numbers) != 4 or any(n is None or n.size != 1 for n in numbers):
        return None
    start, stop, axis, step = (int(n.item()) for n in numbers if n is not None)
    extent = type_.shape[axis]
    from_end = start == -1 or (start >= extent - 1 if isinstance(extent, int) else start >= 2**31 - 1)
    return axis % type_.rank if from_end and step == -1 and stop <= -(2**31) else None


def looked_up(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """One element along an axis, which is then left out."""
    cut = around.made(node.inputs[0], "Slice")
    numbers = [around.array(name) for name in cut.inputs[1:]] if cut is not None else []
    if cut is None or len(numbers) < 3 or any(n is None or n.size != 1 for n in numbers):
        return None
    before, after = (around.graph.types.get(name) for name in (cut.inputs[0], node.outputs[0]))
    start, stop, axis, *step = (int(n.item()) for n in numbers if n is not None)
    is_one = stop == start + 1 != 0 or (start == -1 and stop >= 2**31 - 1)
    if before is None or after is None or node.attrs or step not in ([], [1]) or not is_one:
        return None
    axis %= before.rank
    if after.shape != before.shape[:axis] + before.shape[axis + 1 :]:
        return None
    at = around.constant(f"{node.outputs[0]}:at", np.array(start, np.int64))
    return [
        replace(
            node, op="Gather", inputs=(cut.inputs[0], at), attrs={"axis": axis}, label=node.label_as("Gather")
        )
    ]


def join_slices(graph: OnnxGraph) -> None:
    """Slices that cut a tensor up along one axis are one Split."""
    groups: dict[tuple[str, int], list[OnnxNode]] = {}
    for node in graph.nodes:
        axis = _axis(graph, node)
        if axis is not None:
            groups.setdefault((node.inputs[0], axis), []).append(node)
    splits: dict[str, OnnxNode] = {}  # by the result of the slice whose place it takes
    gone: set[str] = set()
    for (source, axis), nodes in groups.items():
        pieces = sorted((_piece(graph, node, axis) for node in nodes), key=lambda piece: piece[:2])
        if len(pieces) > 1 and _whole(pieces, graph.types[source].shape[axis]):
            splits[nodes[0].outputs[0]] = _split(graph, source, axis, pieces)
            gone |= {node.outputs[0] for node in nodes}
    graph.nodes = [
        splits.get(node.outputs[0], node)
        for node in graph.nodes
        if node.outputs[0] in splits or node.outputs[0] not in gone
    ]


def _axis(graph: OnnxGraph, node: OnnxNode) -> int | None:
    """The axis of known extent that a slice cuts without leaving anything out; None for other nodes."""
    if node.op != "Slice" or len(node.inputs) < 4 or node.inputs[0] not in graph.types:
        return None
    numbers = [graph.constants.get(name) for name in node.inputs[1:]]
    if any(n is None or n.size != 1 for n in numbers) or any(n != 1 for n in numbers[3:]):
        return None
    type_ = graph.types[node.inputs[0]]
    axis = int(numbers[2].item()) % type_.rank  # type: ignore[union-attr]
    return axis if isinstance(type_.shape[axis], int) else None


def _piece(graph: OnnxGraph, node: OnnxNode, axis: int) -> Piece:
    start, stop = (int(graph.constants[name].item()) for name in node.inputs[1:3])
    first, last, _ = slice(start, stop).indices(graph.types[node.inputs[0]].shape[axis])
    return first, max(first, last), node


def _whole(pieces: list[Piece], extent: object) -> bool:
    """Does each piece begin where the one before ends, from the first position to the last?"""
    ends = [0, *(last for _, last, _ in pieces)]
    return ends[-1] == extent and all(first == end for (first, _, _), end in zip(pieces, ends, strict=False))


def _split(graph: OnnxGraph, source: str, axis: int, pieces: list[Piece]) -> OnnxNode:
    lengths = np.array([last - first for first, last, _ in pieces], np.int64)
    sizes = graph.constant(f"{pieces[0][2].outputs[0]}:sizes", lengths)
    outputs = tuple(node.outputs[0] for _, _, node in pieces)
    label = pieces[0][2].label_as("Split")
    return OnnxNode("Split", (source, sizes), outputs, {"axis": axis}, label=label)
