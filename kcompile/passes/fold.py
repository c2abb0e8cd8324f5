"""Nodes of constants are computed once, by their reference."""

from __future__ import annotations

from kcompile.ir.graph import Graph, Node, Value, rebuild
from kcompile.ir.op import constant
from kcompile.ir.traits import Leaf

LIMIT = 4096  # elements; a larger constant costs more memory than its computation


def run(graph: Graph) -> Graph:
    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if not inputs or node.op.outputs != 1 or any(v.op.leaf is not Leaf.CONSTANT for v in inputs):
            return None
        type_ = node.values[0].type
        if not type_.is_static or type_.size > LIMIT:  # type: ignore[operator]
            return None
        array = node.op.evaluate(tuple(v.node.attrs["value"].array for v in inputs), node.attrs)
        return (constant(array, type_.dtype),)

    return rebuild(graph, rule)
