"""Composites become primitives: ops that the scheduler can lower (a `scalar` rule, or the contraction)."""

from __future__ import annotations

from kcompile.ir.graph import Graph, Node, Value, rebuild
from kcompile.ops.widening import decomposition

LONG_ROW = 24  # elements from which sorting a row costs less than comparing all pairs


def is_primitive(node: Node, sorts: bool = True) -> bool:
    """Can the scheduler lower it? sorts: has the target a kernel that sorts?"""
    op = node.op
    if op.traits.orders:
        extent = node.inputs[0].shape[-1]
        return sorts and not (isinstance(extent, int) and extent < LONG_ROW)
    return op.leaf is not None or op.has_bodies or (op.has("scalar") and not op.traits.transparent)


def run(graph: Graph, sorts: bool = True) -> Graph:
    """Decompose until only primitives are left."""

    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if is_primitive(node, sorts):
            return None
        if node.op.traits.transparent:
            return inputs[:1]
        if not node.op.has("decompose"):
            raise NotImplementedError(
                f"op {node.op.name!r} (at {node.origin or 'top level'}) has no kernel: "
                "neither a scalar rule nor a decomposition"
            )
        return decomposition(node, inputs)

    while not all(is_primitive(n, sorts) for n in graph.nodes()):
        graph = rebuild(graph, rule)
    return graph
