"""What lies inside of a padded copy is read there, and not stored a second time.

A convolution reads its image with a border. Whoever else reads the image (a shortcut around the convolution,
the gradient of the activation before it) takes the part inside of the border. In a residual network that is
every block's output: a sixth of the memory of its training.
"""

from __future__ import annotations

from kcompile.ir import graph as graphs
from kcompile.ir.border import border_of
from kcompile.ir.graph import Graph, Node, Value, rebuild
from kcompile.ops.cutting import pad_op, slice_op


def run(graph: Graph) -> Graph:
    kept = _kept_inside(graph)
    if not kept:
        return graph

    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        inside = [v in kept and kept[v] is not node for v in node.inputs]
        if not any(inside):
            return None
        given = zip(node.inputs, inputs, inside, strict=True)
        inputs = tuple(_inside(new, kept[old]) if there else new for old, new, there in given)
        return graphs.node(node.op, inputs, node.attrs, tuple(v.type for v in node.values)).values

    return rebuild(graph, rule)


def _kept_inside(graph: Graph) -> dict[Value, Node]:
    """Values that others read, too, with the padding that keeps them: one whose result lies in memory,
    because a contraction reads it.
    """
    readers: dict[Value, list[Node]] = {}
    for node in graph.nodes():
        for v in dict.fromkeys(node.inputs):
            readers.setdefault(v, []).append(node)
    roots = set(graph.roots())
    kept: dict[Value, Node] = {}
    for node in graph.nodes():
        if not node.op.traits.pads or border_of(node) is None:
            continue
        x, padded = node.inputs[0], node.values[0]
        in_memory = any(r.op.traits.contraction for r in readers.get(padded, []))
        if not in_memory or len(readers[x]) < 2 or x.op.leaf is not None or x in roots:
            continue
        if not any(r.op.traits.reshapes for r in readers[x]):  # which would divide to find each element
            kept.setdefault(x, node)
    return kept


def _inside(x: Value, padding: Node) -> Value:
    """x, read from its padded copy."""
    padded = pad_op(x, **padding.attrs)
    return slice_op(padded, start=tuple(padding.attrs["before"]), size=x.shape, step=(1,) * len(x.shape))
