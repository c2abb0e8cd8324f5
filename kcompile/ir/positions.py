"""Which whole numbers the inputs of a graph may be, as far as it looks something up at them."""

from __future__ import annotations

from collections import defaultdict

from kcompile.core import dtypes
from kcompile.ir.graph import Graph, Value, topological

CAREFUL = 2  # a position that is computed from an input may lie anywhere; with 0 and 1 it mostly fits


def limits(graph: Graph) -> list[int | None]:
    """For each input: below which number it must be so that it is a position in all that is looked up at it.

    Elements may have been moved and converted on the way. None where nothing is looked up.
    """
    places = {value: k for k, value in enumerate(graph.inputs)}
    same: dict[Value, set[int]] = defaultdict(set)  # inputs whose elements these are
    of: dict[Value, set[int]] = defaultdict(set)  # inputs that these are computed from
    found: list[int | None] = [None] * len(places)
    careful: set[int] = set()
    for node in topological([*graph.outputs, *graph.assignments.values()]):
        op = node.op
        keeps = op.traits.moves or op.traits.converts or op.traits.transparent
        for value in node.values:
            own = {places[value]} if value in places else set()
            same[value] = own | (same[node.inputs[0]] if keeps else set())
            of[value] = own.union(*(of[x] for x in node.inputs))
        if op.has_bodies:
            careful.update(*(of[x] for x in node.inputs))
        elif op.has("positions"):
            k, extent = op.rules["positions"](*(x.type for x in node.inputs), **node.attrs)
            looked_up = node.inputs[k]
            careful |= of[looked_up]
            most = extent if isinstance(extent, int) else 1  # an open extent, as that of a batch, may be 1
            for place in same[looked_up]:
                found[place] = min(found[place] or most, most)
    return [
        limit or (CAREFUL if dtypes.is_int(value.dtype) and places[value] in careful else None)
        for value, limit in zip(graph.inputs, found, strict=True)
    ]
