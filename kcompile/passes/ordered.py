"""A padded copy that a contraction reads group by group is stored group by group.

The channels of a group are a few hundred bytes of each pixel. Where pixels lie as far apart as all channels
take, a group's window is in few sets of the first-level cache, and nothing that is fetched ahead is of use.
The copy is made in any case; readers see it in its old order, which costs a contraction nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from kcompile.core.dtypes import itemsize
from kcompile.core.lanes import LANES, share_lanes
from kcompile.ir.graph import Graph, Node, Value, rebuild
from kcompile.ir.types import Shape
from kcompile.ops.contract import Map
from kcompile.ops.cutting import pad_op
from kcompile.ops.movement import reshape_op, transpose_op
from kcompile.passes.algebra import simpler

LINE = 64  # bytes that are stored side by side at least: a cache line


@dataclass(frozen=True)
class Split:
    """The last dimension of a copy as groups of so many elements, if it is not split yet."""

    groups: int
    depth: int
    is_split: bool


def run(graph: Graph) -> Graph:
    found: dict[Node, Split] = {}
    for node in graph.nodes():
        if node.op.traits.contraction:
            maps = node.attrs["x_map"], node.attrs["w_map"]
            for v, own, other in zip(node.inputs, maps, maps[::-1], strict=True):
                _note(v, own, other, node.attrs["shape"], found)
    if not found:
        return graph

    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if node in found:
            return (_by_groups(node, inputs[0], found[node]),)
        simple = simpler(node, inputs) if node.op.traits.reshapes else None
        return None if simple is None else (simple,)

    return rebuild(graph, rule)


def _note(v: Value, own: Map, other: Map, shape: Shape, found: dict[Node, Split]) -> None:
    """Remember the padding that makes an operand whose last dimensions are a group and its elements."""
    if len(v.shape) < 3 or not _is_group(own[-2], other, len(shape)):
        return
    groups, depth = v.shape[-2:]
    if not (isinstance(groups, int) and isinstance(depth, int)) or depth * itemsize(v.dtype) < LINE:
        return
    columns = [shape[a] for a in sorted(_axes(other) - _axes(own)) if a < len(shape)]
    if any(isinstance(n, int) and n < LANES and share_lanes(n, depth, LANES) for n in columns):
        return  # groups that share the lanes of a vector lie side by side
    padding = v if v.op.traits.pads else v.node.inputs[0] if v.op.traits.reshapes else v
    if not padding.op.traits.pads or padding.node in found:
        return
    is_split = padding is v
    if not is_split and padding.shape != (*v.shape[:-2], groups * depth):
        return
    if not any(_borders(padding.node)[: len(v.shape) - 2]) or any(_borders(padding.node)[len(v.shape) - 2 :]):
        return
    found[padding.node] = Split(groups, depth, is_split)


def _is_group(terms: tuple[tuple[int, int], ...], other: Map, outputs: int) -> bool:
    """Does a dimension follow one axis of the output, which the other operand has, too?"""
    (step, axis), *more = terms
    return not more and step == 1 and axis < outputs and axis in _axes(other)


def _axes(mapping: Map) -> set[int]:
    return {axis for terms in mapping for _, axis in terms}


def _borders(padding: Node) -> list[bool]:
    """Which dimensions are padded."""
    sides = (padding.attrs[side] for side in ("before", "after", "inner"))
    return [any(not isinstance(n, int) or n != 0 for n in widths) for widths in zip(*sides, strict=True)]


def _by_groups(padding: Node, x: Value, split: Split) -> Value:
    """The padding of x with its groups stored before the first dimension that is padded."""
    whole = padding.values[0].shape
    widths = [padding.attrs[side] for side in ("before", "after", "inner")]
    if not split.is_split:
        x = reshape_op(x, shape=(*x.shape[:-1], split.groups, split.depth))
        widths = [(*w[:-1], 0, 0) for w in widths]
    first, group = _borders(padding).index(True), len(x.shape) - 2
    order = (*range(first), group, *range(first, group), group + 1)
    before, after, inner = (tuple(w[k] for k in order) for w in widths)
    stored = pad_op(
        transpose_op(x, axes=order),
        before=before,
        after=after,
        inner=inner,
        value=padding.attrs["value"],
    )
    seen: Value = transpose_op(stored, axes=tuple(order.index(k) for k in range(len(order))))
    return seen if split.is_split else reshape_op(seen, shape=whole)
