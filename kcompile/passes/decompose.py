"""Composites become primitives: ops that the scheduler can lower (a `scalar` rule, or the contraction)."""

from __future__ import annotations

from kcompile.ir.graph import Graph, Node, Value, rebuild
from kcompile.ops.widening import decomposition


def is_primitive(node: Node) -> bool:
    """Can the scheduler lower it?"""
    op = node.op
    return op.leaf is not None or op.has_bodies or (op.has("scalar") and not op.traits.transparent)


def run(graph: Graph) -> Graph:
    """Decompose until only primitives are left."""

    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if is_primitive(node):
            return None
        if node.op.traits.transparent:
            return inputs[:1]
        if not node.op.has("decompose"):
            raise NotImplementedError(
                f"op {node.op.name!r} (at {node.origin or 'top level'}) has no kernel: "
                "neither a scalar rule nor a decomposition"
            )
        return decomposition(node, inputs)

    while not all(is_primitive(n) for n in graph.nodes()):
        graph = rebuild(graph, rule)
    return graph
