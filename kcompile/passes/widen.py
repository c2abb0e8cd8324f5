"""Contractions of two-byte floats add up in float32, and their results are rounded once.

A product of two bfloat16 or float16 numbers is exact in float32, so these are the sums that hardware for
such numbers computes. Where the CPU multiplies pairs of bfloat16 the scheduler takes the operands as they
lie in memory and the casts are never computed.
"""

from __future__ import annotations

from kcompile.core import dtypes
from kcompile.ir.graph import Graph, Node, Value, rebuild
from kcompile.ops.widening import narrowed, widened


def run(graph: Graph) -> Graph:
    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if not node.op.traits.contraction or not any(dtypes.is_half(x.dtype) for x in inputs):
            return None
        return narrowed([node.op(*widened(inputs), **node.attrs)], node)

    return rebuild(graph, rule)
