"""Masks that a value shows.

A value `where(keep, relu(x) * s, 0)` is positive exactly where `keep` and `x > 0` hold. What is masked by
both on the way back may then be masked by the value's own sign instead: it lies in memory anyway, so neither
are the random numbers behind `keep` drawn again, nor is relu(x) stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from kcompile.core.dtypes import is_float
from kcompile.ir.graph import Graph, Node, Value, rebuild
from kcompile.ir.graph import node as make_node
from kcompile.ops import elementwise as ew
from kcompile.passes.algebra import constant_value

Masks = frozenset[Value]


def run(graph: Graph) -> Graph:
    shown = dict(_shown(graph.nodes()))
    if not shown:
        return graph

    kept = set(shown.values())  # what shows masks is not hidden behind its own sign
    meaning: dict[Value, Masks] = {}  # of the signs that stand for masks already

    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        old = node.values[0]
        if not node.op.traits.selects or old in kept:
            return None
        masks, inner = _unmasked(make_node(node.op, inputs, node.attrs, (old.type,)).values[0], 0.0)
        masks = frozenset(m for mask in masks for m in meaning.get(mask, (mask,)))
        if masks not in shown:
            return None
        value = shown[masks]
        sign = ew.greater(value, ew.as_tensor(0, value.dtype))
        meaning[sign] = masks
        return (ew.where(sign, inner, ew.as_tensor(0, old.dtype)),)

    return rebuild(graph, rule)


def _shown(nodes: Iterable[Node]) -> Iterator[tuple[Masks, Value]]:
    """Pairs of masks and a value that is positive exactly where they all hold."""
    nodes = list(nodes)
    tests = [n for n in nodes if n.op.traits.relation == ">" and constant_value(n.inputs[1]) == 0]
    positive = {n.inputs[0]: n.values[0] for n in tests}
    for node in nodes:
        if not node.op.traits.selects:
            continue
        masks, inner = _unmasked(node.values[0], 1.0)
        sign = positive.get(_unscaled(inner))
        if masks and sign is not None:
            yield masks | {sign}, node.values[0]


def _unmasked(v: Value, least: float) -> tuple[Masks, Value]:
    """The masks of nested `where(mask, ..., 0)`, and the value without them.

    Between them it may be scaled by a number from `least` on.
    """
    if v.op.traits.selects and constant_value(v.node.inputs[2]) == 0 and v.node.inputs[1].shape == v.shape:
        masks, inner = _unmasked(v.node.inputs[1], least)
        return masks | {v.node.inputs[0]}, inner
    scaled = _scaled(v, least)
    if scaled is not None:
        masks, inner = _unmasked(scaled[0], least)
        return masks, (ew.multiply(inner, scaled[1]) if masks else v)
    return frozenset(), v


def _unscaled(v: Value) -> Value:
    """v without factors of at least 1, which let no positive number become 0."""
    while (scaled := _scaled(v, 1.0)) is not None:
        v = scaled[0]
    return v


def _scaled(v: Value, least: float) -> tuple[Value, Value] | None:
    if v.op.traits.monoid != "product" or not is_float(v.dtype):  # products of integers may wrap to 0
        return None
    for x, other in (v.node.inputs, v.node.inputs[::-1]):
        factor = constant_value(other)
        if factor is not None and least <= factor and 0 < factor < math.inf and x.shape == v.shape:
            return x, other
    return None
