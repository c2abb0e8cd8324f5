"""Products: which operator writes them best."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kcompile.export.onnx.graph import OnnxNode

if TYPE_CHECKING:
    from kcompile.export.onnx.simplify import Around

GEMMS = ("float32", "float64", "float16")  # dtypes that onnxruntime's Gemm takes


def gemm(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """A product of matrices and the addition of a row are one operator."""
    for x, row in (node.inputs, node.inputs[::-1]):
        product = around.made(x, "MatMul", "Gemm")
        if (
            product is None
            or len(product.inputs) > 2
            or around.rank(row) != 1
            or not _of_matrices(around, product)
            or not _keeps_width(around, product, row)
        ):
            continue
        label = product.label_as("Gemm")
        inputs = (*product.inputs, row)
        return [replace(product, op="Gemm", inputs=inputs, outputs=node.outputs, label=label)]
    return None


def _keeps_width(around: Around, product: OnnxNode, row: str) -> bool:
    """Is the sum of a product and a row as wide as the product?"""
    array, types = around.array(row), [around.graph.types.get(n) for n in (product.outputs[0], row)]
    width = array.shape[0] if array is not None else types[1].shape[0] if types[1] is not None else None
    return width == 1 or (types[0] is not None and types[0].shape[-1] == width)


def plain_product(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """An Einsum whose operands lie as MatMul wants them; a constant may be turned."""
    left, arrow, result = node.attrs["equation"].replace(" ", "").partition("->")
    x, _, w = left.partition(",")
    if not arrow or len(node.inputs) != 2 or len(set(x)) + 2 * ("..." in x) != len(x) or len(w) < 2:
        return None
    shared = w[:-2]  # dimensions that both and the result have
    if "." in w or not x.startswith(shared) or len(set(w)) < len(w) or (shared and len(x) != len(w)):
        return None
    array = around.array(node.inputs[1])
    for summed, column, turned in ((w[-2], w[-1], False), (w[-1], w[-2], True)):
        if (
            x[-1] != summed
            or column in x
            or result != x[:-1] + column
            or (turned and (array is None or shared))
        ):
            continue
        right = node.inputs[1]
        if turned:
            assert array is not None
            right = around.constant(f"{right}:T10", array.T)
        return [OnnxNode("MatMul", (node.inputs[0], right), node.outputs, label=node.label_as("MatMul"))]
    return None


def projection(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """An Einsum with a constant that makes several axes of the last one, or one of the last ones.

    One node more, but runtimes are faster at a MatMul: attention's projections took 5% of a transformer.
    """
    left, arrow, result = node.attrs["equation"].replace(" ", "").partition("->")
    x, _, w = left.partition(",")
    matrix = around.array(node.inputs[1]) if len(node.inputs) == 2 else None
    if matrix is None or not arrow or "." in left or len(set(x)) < len(x) or len(set(w)) < len(w):
        return None
    source, name = node.inputs[0], node.outputs[0]
    if len(w) > 2 and x[-1:] == w[0] and result == x[:-1] + w[1:] and not set(w[1:]) & set(x):
        flat = around.constant(f"{node.inputs[1]}:flat", matrix.reshape(len(matrix), -1))
        shape = np.array([0] * (len(x) - 1) + list(matrix.shape[1:]), np.int64)
        product = OnnxNode("MatMul", (source, flat), (f"{name}:flat",), label=node.label_as("MatMul"))
        whole = around.constant(f"{name}:shape", shape)
        return [product, OnnxNode("Reshape", (f"{name}:flat", whole), (name,), label=f"{node.name}/Reshape")]
    kept = len(x) - len(w) + 1
    if len(w) > 2 and kept > 0 and x[kept:] == w[:-1] and result == x[:kept] + w[-1] and w[-1] not in x:
        flat = around.constant(f"{node.inputs[1]}:flat", matrix.reshape(-1, matrix.shape[-1]))
        shape = np.array([0] * kept + [len(around.graph.constants[flat])], np.int64)
        joined = (source, around.constant(f"{name}:shape", shape))
        return [
            OnnxNode("Reshape", joined, (f"{name}:joined",), label=f"{node.name}/Reshape"),
            OnnxNode("MatMul", (f"{name}:joined", flat), (name,), label=node.label_as("MatMul")),
        ]
    return None


WIDE = ("float32", "float64")  # onnxruntime 1.32 crashes on some transposes before products of float16


def may_be_turned(around: Around, name: str) -> bool:
    """May a product read this tensor where it is, or becomes, what a transpose made?"""
    return around.dtype(name) in WIDE


def batched_product(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """An Einsum of two computed tensors that is a product of matrices, many at once: MatMul of transposes.

    More nodes, but onnxruntime's Einsum takes twice the time: attention's scores of 128 steps.
    """
    if len(node.inputs) != 2 or any(
        not may_be_turned(around, n) or n in around.graph.constants for n in node.inputs
    ):
        return None
    left, _, result = node.attrs["equation"].replace(" ", "").partition("->")
    texts = left.split(",")
    if len(texts) != 2 or "." in left or any(len(set(text)) < len(text) for text in (*texts, result)):
        return None
    sides = (texts, node.inputs), (texts[::-1], node.inputs[::-1])
    ways = [(given, names, _as_matrices(given[0], given[1], result)) for given, names in sides]
    found = [
        (sum(a != b for a, b in zip((*given, result), way, strict=True)), given, names, way)
        for given, names, way in ways
        if way is not None
    ]
    if not found:
        return None
    _, given, names, wanted = min(found, key=lambda one: one[0])  # with the fewest transposes
    nodes, operands = list[OnnxNode](), list[str]()
    for name, has, wants in zip(names, given, wanted, strict=False):
        operands.append(name if has == wants else f"{node.outputs[0]}:{len(operands)}")
        if has != wants:
            nodes.append(around.graph.transpose(name, operands[-1], [has.index(c) for c in wants]))
    product = replace(node, op="MatMul", inputs=tuple(operands), attrs={}, label=node.label_as("MatMul"))
    if wanted[2] == result:
        return [*nodes, product]
    perm, made = [wanted[2].index(c) for c in result], f"{node.outputs[0]}:product"
    back = OnnxNode("Transpose", (made,), node.outputs, {"perm": perm})
    return [*nodes, replace(product, outputs=(made,)), back]


def _as_matrices(x: str, w: str, result: str) -> tuple[str, str, str] | None:
    """The letters of both operands and of the product as MatMul has them; None if it is no such product."""
    shared = "".join(c for c in result if c in x and c in w)
    summed = "".join(c for c in x if c in w and c not in result)
    row, column = ("".join(c for c in a if c not in b) for a, b in ((x, w), (w, x)))
    if not len(summed) == len(row) == len(column) == 1 or set(result) != {*shared, row, column}:
        return None
    return shared + row + summed, shared + summed + column, shared + row + column


def transposed_product(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """A product of matrices reads its operands the other way round itself."""
    if not _of_matrices(around, node) or len(set(node.inputs)) == 1:
        return None
    turned = [around.made(name, "Transpose") for name in node.inputs]
    if not any(turned):
        return None
    inputs = tuple(n if t is None else t.inputs[0] for n, t in zip(node.inputs, turned, strict=True))
    attrs = {key: 1 for key, t in zip(("transA", "transB"), turned, strict=True) if t is not None}
    return [replace(node, op="Gemm", inputs=inputs, attrs=attrs)]


def _of_matrices(around: Around, product: OnnxNode) -> bool:
    """Is it a product of two matrices of floats that Gemm takes?"""
    floats = all(around.dtype(name) in GEMMS for name in product.inputs)
    return floats and all(around.rank(name) == 2 for name in product.inputs)
