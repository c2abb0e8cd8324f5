"""Elements along the last axis in another order: products of matrices make them and read them in any.

A transpose between a product and a change of shape reorders the elements of each row. So may the columns or
rows of the product's matrix, once for all.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from kcompile.export.onnx import shapes
from kcompile.export.onnx.along import ALONG, TOGETHER, reduced_axes
from kcompile.export.onnx.graph import Links, OnnxGraph, OnnxNode
from kcompile.export.onnx.layout import TURNED, VARIADIC, layouts, moves, turns
from kcompile.export.onnx.rows import is_row_by_row
from kcompile.ir.types import Shape

PRODUCTS = ("MatMul", "Gemm")


def order_made(graph: OnnxGraph) -> None:
    """Products make what is turned as soon as it has its shape in the order that it will have then."""
    (wanted, _), turned, rows = layouts(graph), turns(graph), _Rows(graph)
    for node in graph.nodes:
        (whole, *_), (name, *_) = node.inputs or [""], node.outputs
        types, perm = [graph.types.get(one) for one in (whole, name)], turned.get(name)
        if node.op != "Reshape" or perm is None or None in types or wanted[name] != {TURNED}:
            continue
        flat, shape = (type_.shape for type_ in types if type_ is not None)
        first, moved = _first_axis(shape, perm, flat[-1:]), shapes.permuted(shape, perm)
        target = shapes.template(flat, moved)
        if first is None or target is None or shapes.moves_ones(shape, perm):
            continue
        if not _is_cheap(graph, rows.users, name, shapes.inverse(perm)):
            continue
        if rows.reorder(whole, _order(shape, perm, first), node):
            made = f"{name}:made"
            graph.types[made] = replace(graph.types[name], shape=moved)
            inputs = (whole, graph.constant(f"{made}:shape", target))
            shaped = replace(node, inputs=inputs, outputs=(made,), attrs={}, label=node.name)
            rows.written[name] = [shaped, graph.transpose(made, name, shapes.inverse(perm))]
    rows.apply()


def _is_cheap(graph: OnnxGraph, users: dict[str, list[OnnxNode]], start: str, perm: tuple[int, ...]) -> bool:
    """Does a transpose of the tensor come through to those that it meets, with one of another tensor at most?

    That one takes the place of the transpose that is saved.
    """
    inside, beside = [start], set[str]()
    for name in inside:
        for node in users.get(name, ()):
            if node.op in ALONG and ALONG[node.op](graph, node, perm) is None:
                return False
            types = [graph.types.get(made) for made in node.outputs]
            if not moves(node) or any(type_ is None or type_.rank != len(perm) for type_ in types):
                continue
            inside += [made for made in node.outputs if made not in inside]
            beside |= {*node.inputs} if node.op in VARIADIC | {*TOGETHER} else set()
    others = [graph.types.get(name) for name in beside - {*inside, *graph.constants}]
    return sum(type_ is None or type_.rank > 1 for type_ in others) <= 1


def order_read(graph: OnnxGraph) -> bool:
    """Products read what was transposed and made flat in the order from before. Was there any?"""
    rows = _Rows(graph)
    for node in graph.nodes:
        turned = rows.made(node.inputs[0], "Transpose") if node.op == "Reshape" else None
        types = [graph.types.get(one) for one in (*node.inputs[:1], node.outputs[0])]
        if turned is None or None in types:
            continue
        shape, flat = (type_.shape for type_ in types if type_ is not None)
        order = shapes.inverse(turned.attrs["perm"])
        first = _first_axis(shape, order, flat[-1:])
        target = shapes.template(shapes.permuted(shape, order), flat)
        if first is None or target is None:
            continue
        if rows.reorder(node.outputs[0], _order(shape, order, first), node):
            inputs = (turned.inputs[0], graph.constant(f"{node.outputs[0]}:shape", target))
            rows.written[node.outputs[0]] = [replace(node, inputs=inputs, attrs={})]
    return rows.apply()


def _first_axis(shape: Shape, perm: tuple[int, ...], width: Shape) -> int | None:
    """From which axis on the elements are those of a row, if the transpose moves none of the axes before."""
    for k in range(len(shape)):
        row = shape[k:]
        if all(isinstance(d, int) for d in (*row, *width)) and (math.prod(row),) == width and width > (1,):
            return k
        if perm[k] != k:
            return None
    return None


def _order(shape: Shape, perm: tuple[int, ...], first: int) -> np.ndarray:
    """Where the elements of a row stood whose axes are transposed."""
    extents = [int(d) for d in shape[first:]]
    axes = [p - first for p in perm[first:]]
    return np.arange(math.prod(extents)).reshape(extents).transpose(axes).reshape(-1)


class _Rows(Links):
    """Tensors that hold the elements of their rows in another order than they did, and the nodes for that."""

    def __init__(self, graph: OnnxGraph):
        super().__init__(graph)
        self.written: dict[str, list[OnnxNode]] = {}  # by the first result

    def apply(self) -> bool:
        """Put the nodes into their places."""
        self.graph.rewrite(lambda node: self.written.get(node.outputs[0], [node]))
        return bool(self.written)

    def reorder(self, start: str, order: np.ndarray, gate: OnnxNode) -> bool:
        """Let every tensor that goes with this one have the order, if all that makes and reads them can.

        gate: what makes or reads the first one in that order.
        """
        waiting, seen, changed = [start], set[str](), dict[str, OnnxNode]()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self.graph.outputs or name not in self.makers:
                return False
            for node in (self.makers[name], *self.users.get(name, ())):
                key = node.outputs[0]
                if key == gate.outputs[0]:
                    continue
                now = changed.get(key) or self.written.get(key, [node])[-1]
                found = self._with(now, name, order, known=key in changed)
                if found is None:
                    return False
                changed[key], more = found
                waiting += more
        self.written |= {key: [node] for key, node in changed.items()}
        return True

    def _with(
        self, node: OnnxNode, name: str, order: np.ndarray, known: bool
    ) -> tuple[OnnxNode, list[str]] | None:
        """The node for tensor `name` in another order, and what else has that then; None if it cannot be."""
        if node.op in PRODUCTS:
            return self._product(node, name, order)
        axes, rank = reduced_axes(self.graph, node), self._rank(name)
        if axes is not None and node.op.startswith("Reduce") and name not in node.outputs:
            return (node, []) if {-1, rank - 1} & {*axes} else None
        if not self._in_rows(node, rank):
            return None
        inputs, more = list[str](), [*node.outputs]
        for given in node.inputs:
            if given in self.graph.constants:
                given = given if known else self._ordered(given, order, -1)
            elif given:
                type_ = self.graph.types.get(given)
                width = None if type_ is None else type_.shape[-1:]
                more += [given] if width == (len(order),) else []
                given = given if width in ((), (1,), (len(order),)) else ""
            if not given:
                return None
            inputs.append(given)
        return replace(node, inputs=tuple(inputs)), more

    def _in_rows(self, node: OnnxNode, rank: int) -> bool:
        """Does the node treat all elements of a row alike, but for its constants?"""
        of_rows = node.op == "BatchNormalization" and rank == 2 and len(node.outputs) == 1
        return of_rows or is_row_by_row(node, rank)

    def _rank(self, name: str) -> int:
        type_ = self.graph.types.get(name)
        return 0 if type_ is None else type_.rank

    def _product(self, node: OnnxNode, name: str, order: np.ndarray) -> tuple[OnnxNode, list[str]] | None:
        matrix = self.graph.constants.get(node.inputs[1])
        if node.attrs or matrix is None or matrix.ndim != 2:
            return None
        x, weight, *bias = node.inputs
        if name not in node.outputs:
            inputs = (x, self._ordered(weight, order, 0), *bias)
            return (replace(node, inputs=inputs), []) if name == x else None
        ordered = [self._ordered(one, order, -1) for one in (weight, *bias)]
        return (replace(node, inputs=(x, *ordered)), []) if all(ordered) else None

    def _ordered(self, name: str, order: np.ndarray, axis: int) -> str:
        """A constant with its elements along the axis in the order; no name if it has others."""
        array = self.graph.constants.get(name)
        if array is None or (array.ndim and array.shape[axis] not in (1, len(order))):
            return ""
        if array.ndim == 0 or array.shape[axis] == 1:
            return name
        return self.graph.constant(f"{name}:ordered", array.take(order, axis))
