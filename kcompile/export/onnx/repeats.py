"""Elements repeated along several axes: copies of runs instead of a lookup for each element."""

from __future__ import annotations

import numpy as np

from kcompile.export.onnx.graph import OnnxGraph, OnnxNode

RANK = 4  # tensors of more dimensions take ten times as long in the Resize of runtimes
COPIES = ("float32", "float64", "int32", "int64", "int8", "uint8", "bool")  # what onnxruntime's Tile takes


def write_copies(graph: OnnxGraph) -> None:
    """Write Resize of many dimensions, where it only repeats elements, as Tile of dimensions of their own."""
    graph.rewrite(lambda node: _copies(graph, node) or [node])


def _copies(graph: OnnxGraph, node: OnnxNode) -> list[OnnxNode] | None:
    scales = graph.constants.get(node.inputs[2]) if node.op == "Resize" and len(node.inputs) == 3 else None
    type_ = graph.types.get(node.inputs[0])
    if scales is None or scales.size <= RANK or type_ is None or type_.dtype not in COPIES:
        return None
    how = [node.attrs.get(name) for name in ("mode", "coordinate_transformation_mode", "nearest_mode")]
    if how != ["nearest", "asymmetric", "floor"] or (scales % 1).any() or "axes" in node.attrs:
        return None
    times = scales.astype(np.int64)
    made = _Names(graph, node)
    apart = [k + 1 + int((times[:k] > 1).sum()) for k in np.flatnonzero(times > 1)]
    counts = [n for k in times for n in ((1, int(k)) if k > 1 else (1,))]
    nodes = [
        OnnxNode("Unsqueeze", (node.inputs[0], made.constant("apart", apart)), (made.name("apart"),)),
        OnnxNode("Tile", (made.name("apart"), made.constant("counts", counts)), (made.name("copies"),)),
    ]
    extents = [d * int(n) for d, n in zip(type_.shape, times, strict=True)]
    shape, first = made.name("shape"), int(np.flatnonzero(times > 1)[0])
    # A dimension before the first that is repeated stands where it stood, so that 0 means it.
    target = [d if isinstance(d, int) else 0 if k < first else -1 for k, d in enumerate(extents)]
    if target.count(-1) > 1:
        nodes += [
            OnnxNode("Shape", (node.inputs[0],), (made.name("before"),)),
            OnnxNode("Mul", (made.name("before"), made.constant("times", times)), (shape,)),
        ]
    else:
        shape = made.constant("extents", target)
    label = node.label_as("Reshape")
    return [*nodes, OnnxNode("Reshape", (made.name("copies"), shape), node.outputs, label=label)]


class _Names:
    """New names behind that of a node's result."""

    def __init__(self, graph: OnnxGraph, node: OnnxNode):
        self.graph, self.base = graph, node.outputs[0]

    def name(self, what: str) -> str:
        return f"{self.base}:{what}"

    def constant(self, what: str, numbers: object) -> str:
        return self.graph.constant(f"{self.base}:of:{what}", np.array(numbers, np.int64))
