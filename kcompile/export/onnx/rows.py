"""What is computed row by row needs no matrix: it works on tensors of any rank."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from kcompile.export.onnx.graph import OnnxNode
from kcompile.export.onnx.layout import UNARY, VARIADIC
from kcompile.export.onnx.movement import moved_groups
from kcompile.export.onnx.products import may_be_turned
from kcompile.ir.types import TensorType

if TYPE_CHECKING:
    from kcompile.export.onnx.simplify import Around

ALONG_ROWS = ("Softmax", "LogSoftmax", "LayerNormalization", "RMSNormalization")


def is_row_by_row(node: OnnxNode, rank: int) -> bool:
    """Does the node compute each row from the same rows of its operands, in tensors of any rank, and treat
    all elements of a row alike, but for its constants? rank: of its result.
    """
    last = node.attrs.get("axis", -1) in (-1, rank - 1)
    return len(node.outputs) == 1 and (node.op in UNARY | VARIADIC or (node.op in ALONG_ROWS and last))


def within_reshapes(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """Rows that were made of a tensor, and made into one of the same dimensions again."""
    chain, x = around.chain(node.inputs[0], partial(_source, around))
    first = around.makers.get(x)
    if not chain or first is None or first.op != "Reshape":
        return None
    maker = around.makers.get(first.inputs[0])
    is_turned = maker is not None and maker.op == "Transpose"
    if is_turned and any(one.op == "MatMul" for one in chain) and not may_be_turned(around, x):
        return None
    types = [around.graph.types.get(n) for n in (first.inputs[0], x, node.inputs[0], node.outputs[0])]
    if None in types or not _same_rows(
        [t for t in types if t is not None], all(one.op in UNARY for one in chain)
    ):
        return None
    return _written(around, chain, first.inputs[0], node.outputs[0])


def turned_before(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """Rows in another order, which one transpose brings them into before they are computed on.

    A change of shape stays between it and a product: through one of dimensions of size 1, which might be
    dropped, transposes have sunk before (`may_be_turned`).
    """
    chain, x = around.chain(node.inputs[0], partial(_source, around))
    perm = node.attrs["perm"]
    if not chain or perm[-1] != len(perm) - 1:
        return None
    name = f"{node.outputs[0]}:rows"
    turned = moved_groups(around, replace(node, inputs=(x,), outputs=(name,)))
    return None if turned is None else turned + _written(around, chain, name, node.outputs[0])


def _written(around: Around, chain: list[OnnxNode], name: str, result: str) -> list[OnnxNode]:
    """The nodes of a chain for the rows of another tensor."""
    made, lead = list[OnnxNode](), around.graph.types[name].shape[:-1]
    for one in chain:
        before, after = _source(around, one), f"{result}:{len(made)}"
        if one is chain[-1]:
            after = result
        elif (type_ := around.graph.types.get(one.outputs[0])) is not None:
            around.graph.types[after] = replace(type_, shape=(*lead, type_.shape[-1]))
        inputs = tuple(name if given == before else given for given in one.inputs)
        made.append(replace(one, inputs=inputs, outputs=(after,), attrs=_on_last(one), label=one.name))
        name = after
    return made


def _same_rows(types: list[TensorType], apart: bool) -> bool:
    """Do the first and the last tensor hold the same rows as those between them?

    apart: each element depends on one element only, so the rows between may be others.
    """
    given, first, last, result = types
    if (
        min(t.rank for t in types) < 1
        or given.rank < 2
        or given.rank != result.rank
        or given.shape[:-1] != result.shape[:-1]
    ):
        return False
    rows = given.shape[-1] == first.shape[-1] and last.shape[-1] == result.shape[-1]
    return rows or (apart and given.shape == result.shape)


def _source(around: Around, node: OnnxNode) -> str | None:
    """The one operand of a node that works row by row: a product with a matrix does, too."""
    computed = [name for name in node.inputs if name and around.array(name) is None]
    if len(computed) != 1:
        return None
    ranks = [array.ndim for array in map(around.array, node.inputs) if array is not None]
    rank = around.rank(computed[0]) or 0
    if node.op == "MatMul":
        fits = node.inputs[0] == computed[0] and ranks == [2] and rank > 1
    else:
        fits = is_row_by_row(node, rank) and max(ranks, default=0) <= 1
    return computed[0] if fits else None


def _on_last(node: OnnxNode) -> dict[str, object]:
    """The attributes, for any rank."""
    return {**node.attrs, "axis": -1} if node.op in ALONG_ROWS else node.attrs
