"""What is cut off of a contraction is not computed.

The gradient of a padded image is computed with its border and then cropped; so are parts of other products.
The crop moves to the operands: of padding it leaves less, of anything else it takes a part, which a
contraction reads where it lies.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from kcompile.core.symbolic import Int, is_nonnegative, product
from kcompile.ir.graph import Graph, Node, Value, rebuild
from kcompile.ops.contract import Map, contract_op
from kcompile.ops.cutting import pad_op, slice_op
from kcompile.ops.movement import reshape_op

Extents = tuple["int | Int", ...]


@dataclass(frozen=True)
class Margins:
    """How much is cut off of each dimension, before and after what is left."""

    before: Extents
    after: Extents

    @property
    def is_empty(self) -> bool:
        return not any(map(_is_some, (*self.before, *self.after)))


def run(graph: Graph) -> Graph:
    graph = rebuild(graph, _crop_of_padding)
    uses = Counter(v for node in graph.nodes() for v in node.inputs)
    uses.update(graph.roots())

    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        crop = crop_of(node, inputs)
        if crop is None or uses[node.inputs[0]] > 1:
            return None
        x, old = inputs[0], node.inputs[0]
        if x.op.traits.contraction:
            return (_cropped_contraction(x.node, crop),)
        if x.op.traits.reshapes and uses[old.node.inputs[0]] == 1:
            return _cropped_before_joining(x, crop)
        return None

    return rebuild(graph, rule)


def _crop_of_padding(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
    crop = crop_of(node, inputs)
    return (cropped(inputs[0], crop),) if crop is not None and inputs[0].op.traits.pads else None


def crop_of(node: Node, inputs: tuple[Value, ...]) -> Margins | None:
    """The crop that a node is, if it does nothing else."""
    attrs = node.attrs
    if node.op.traits.slices and all(s == 1 for s in attrs["step"]):
        given = zip(inputs[0].shape, attrs["start"], attrs["size"], strict=True)
        return Margins(tuple(attrs["start"]), tuple(d - a - n for d, a, n in given))
    if node.op.traits.pads and not any(attrs["inner"]):
        crop = Margins(*(tuple(-1 * w for w in attrs[side]) for side in ("before", "after")))
        return crop if all(map(is_nonnegative, (*crop.before, *crop.after))) else None
    return None


def _cropped_contraction(node: Node, crop: Margins) -> Value:
    """A contraction without what the crop takes away."""
    attrs = node.attrs
    given = zip(attrs["shape"], crop.before, crop.after, strict=True)
    operands = [
        cropped(v, _of_operand(attrs[name], crop))
        for v, name in zip(node.inputs, ("x_map", "w_map"), strict=True)
    ]
    result: Value = contract_op(*operands, **{**attrs, "shape": tuple(d - b - a for d, b, a in given)})
    return result


def _of_operand(mapping: Map, crop: Margins) -> Margins:
    """The crop of an operand that goes with one of the output: a window moves by its stride."""

    def moved(widths: Extents) -> Extents:
        outputs = len(widths)
        return tuple(
            sum((c * widths[axis] for c, axis in terms if axis < outputs), start=0) for terms in mapping
        )

    return Margins(moved(crop.before), moved(crop.after))


def cropped(x: Value, crop: Margins) -> Value:
    """x without its border: padding that is to be cut off is not added."""
    if crop.is_empty:
        return x
    if x.op.traits.pads:
        narrow = _narrower_padding(x.node, crop)
        if narrow is not None:
            return narrow
    size = tuple(d - b - a for d, b, a in zip(x.shape, crop.before, crop.after, strict=True))
    part: Value = slice_op(x, start=crop.before, size=size, step=(1,) * len(size))
    return part


def _narrower_padding(node: Node, crop: Margins) -> Value | None:
    attrs = node.attrs
    before, after = (
        tuple(w - c for w, c in zip(attrs[side], cut, strict=True))
        for side, cut in (("before", crop.before), ("after", crop.after))
    )
    # Where elements are spread, a crop may end in a gap between two of them.
    spread = [w for n, *sides in zip(attrs["inner"], before, after, strict=True) if n for w in sides]
    if not all(map(is_nonnegative, spread)):
        return None
    x = node.inputs[0]
    if not any(map(_is_some, (*before, *after, *attrs["inner"]))):
        return x
    narrow: Value = pad_op(x, **{**attrs, "before": before, "after": after})
    return narrow


def _cropped_before_joining(y: Value, crop: Margins) -> tuple[Value] | None:
    """The crop of a reshape that joins dimensions of a contraction: whole rows are cut off before it."""
    x = y.node.inputs[0]
    groups = _joined_dimensions(x.shape, y.shape)
    if not x.op.traits.contraction or groups is None:
        return None
    rows = [product(group[1:]) for group in groups]
    if not all(isinstance(w, int) for w in (*rows, *crop.before, *crop.after)):
        return None
    sides = crop.before, crop.after
    whole = [[w // n if g else 0 for w, n, g in zip(ws, rows, groups, strict=True)] for ws in sides]
    spread = (
        tuple(k for w, g in zip(ws, groups, strict=True) for k in (w, *[0] * len(g))[: len(g)])
        for ws in whole
    )
    first = Margins(*spread)
    if first.is_empty:
        return None
    shape = tuple(d - n * (b + a) for d, n, b, a in zip(y.shape, rows, *whole, strict=True))
    rest = Margins(
        *(
            tuple(w - n * m for w, n, m in zip(ws, rows, own, strict=True))
            for ws, own in zip(sides, whole, strict=True)
        )
    )
    return (cropped(reshape_op(_cropped_contraction(x.node, first), shape=shape), rest),)


def _joined_dimensions(old: Extents, new: Extents) -> list[Extents] | None:
    """The old dimensions that each new one joins, none for a new one of size 1 at the end; None where a
    reshape does anything else.
    """
    groups: list[Extents] = []
    left = list(old)
    for d in new:
        group = [left.pop(0)] if left else []
        while left and product(group) != d:
            group.append(left.pop(0))
        if product(group) != d:
            return None
        groups.append(tuple(group))
    return groups if not left else None


def _is_some(width: int | Int) -> bool:
    return not (isinstance(width, int) and width == 0)
