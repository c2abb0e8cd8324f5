"""Moves transposes towards the outputs until pairs of them meet and vanish.

Our tensors have channels last, ONNX's convolutions and pools have them second, so each of those comes
between two transposes. Elementwise operators work in any layout: a transpose of their input is as good after
them. A reduction works in any layout over other axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kcompile.export.onnx.graph import OnnxGraph, OnnxNode

UNARY = frozenset(
    [
        "Relu",
        "LeakyRelu",
        "Sigmoid",
        "Tanh",
        "Elu",
        "Selu",
        "Celu",
        "Softplus",
        "Softsign",
        "HardSigmoid",
        "HardSwish",
        "Gelu",
        "Mish",
        "Exp",
        "Log",
        "Sqrt",
        "Abs",
        "Neg",
        "Sign",
        "Floor",
        "Ceil",
        "Round",
        "Reciprocal",
        "Erf",
        "Sin",
        "Cos",
        "Tan",
        "Not",
        "Cast",
        "IsNaN",
        "IsInf",
        "Clip",
    ]
)
VARIADIC = frozenset(
    [
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Mean",
        "Pow",
        "Max",
        "Min",
        "Where",
        "Equal",
        "Less",
        "Greater",
        "LessOrEqual",
        "GreaterOrEqual",
        "And",
        "Or",
    ]
)


@dataclass(frozen=True)
class Permuted:
    """A tensor that is Transpose(source, perm)."""

    source: str
    perm: tuple[int, ...]


# What an operator along axes becomes before a transpose: changed attributes, the inputs behind those that are
# transposed, and how its result is to be transposed, where that is another way; None where that is not known.
Changed = tuple[dict[str, Any], tuple[str, ...]] | tuple[dict[str, Any], tuple[str, ...], tuple[int, ...]]


def _axis(walk: _Sinking, node: OnnxNode, perm: tuple[int, ...]) -> Changed | None:
    return {"axis": perm[node.attrs.get("axis", -1)]}, ()


def _pads(walk: _Sinking, node: OnnxNode, perm: tuple[int, ...]) -> Changed | None:
    pads = walk.graph.constants.get(node.inputs[1])
    if pads is None or len(node.inputs) > 3:
        return None
    order = np.argsort(perm)
    turned = np.concatenate([side[order] for side in np.split(pads, 2)])
    return {}, (walk.constant(node.inputs[1], f"pads{''.join(map(str, perm))}", turned), *node.inputs[2:])


def _slices(walk: _Sinking, node: OnnxNode, perm: tuple[int, ...]) -> Changed | None:
    axes = walk.graph.constants.get(node.inputs[3]) if len(node.inputs) > 3 else None
    if axes is None:
        return None
    turned = np.array([perm[a] for a in axes], axes.dtype)
    name = walk.constant(node.inputs[3], f"axes{''.join(map(str, perm))}", turned)
    return {}, (*node.inputs[1:3], name, *node.inputs[4:])


def _scales(walk: _Sinking, node: OnnxNode, perm: tuple[int, ...]) -> Changed | None:
    if "axes" in node.attrs:
        return {"axes": [perm[a] for a in node.attrs["axes"]]}, node.inputs[1:]
    scales = walk.graph.constants.get(node.inputs[2]) if len(node.inputs) == 3 else None
    if scales is None:
        return None
    name = walk.constant(node.inputs[2], f"scales{''.join(map(str, perm))}", scales[np.argsort(perm)])
    return {}, ("", name)


def _gathered(walk: _Sinking, node: OnnxNode, perm: tuple[int, ...]) -> Changed | None:
    """Axes of the indices come into the place of the one that is gathered along."""
    index = walk.graph.constants.get(node.inputs[1])
    if index is None:
        return None
    axis, more = node.attrs.get("axis", 0) % len(perm), index.ndim - 1
    place = perm[axis]
    moved = [p + more * (p > place) for p in perm]
    moved[axis : axis + 1] = range(place, place + index.ndim)
    return {"axis": place}, node.inputs[1:], tuple(moved)


def _product(walk: _Sinking, node: OnnxNode, perm: tuple[int, ...]) -> Changed | None:
    """With a constant matrix, where the summed axis stays the last one.

    More than a matter of taste: onnxruntime 1.32 crashes on Transpose (1, 0, 2) before a MatMul of float16.
    """
    matrix = walk.graph.constants.get(node.inputs[1])
    is_last = perm[-1] == len(perm) - 1 and len(perm) > 2
    return ({}, node.inputs[1:]) if is_last and matrix is not None and matrix.ndim == 2 else None


ALONG = {"Concat": _axis, "Softmax": _axis, "LogSoftmax": _axis, "Pad": _pads, "Slice": _slices}
ALONG["MatMul"] = _product
ALONG["Resize"] = _scales
ALONG["Gather"] = _gathered


def sink_transposes(graph: OnnxGraph) -> None:
    """Move transposes below elementwise operators, and drop those that cancel."""
    pass_ = _Sinking(graph)
    for node in graph.nodes:
        pass_.visit(node)
    graph.nodes = pass_.nodes


class _Sinking:
    """One walk over the nodes. `late` holds the transposes that were not written yet."""

    def __init__(self, graph: OnnxGraph):
        self.graph = graph
        self.nodes: list[OnnxNode] = []
        self.late: dict[str, Permuted] = {}
        self.written: set[str] = set()

    def visit(self, node: OnnxNode) -> None:
        if node.op == "Transpose":
            self._transpose(node)
        elif self._sinks(node):
            self._below(node)
        elif node.inputs and self._moved(node):
            return
        elif node.op.startswith("Reduce") and node.inputs[0] in self.late and self._axes(node) is not None:
            self._below_reduction(node)
        else:
            for name in node.reads:
                self._write(name)
            self.nodes.append(node)

    def _transpose(self, node: OnnxNode) -> None:
        source, perm = node.inputs[0], tuple(node.attrs["perm"])
        before = self.late.get(source)
        if before is not None:  # Transpose(Transpose(x, a), b) is Transpose(x, a[b])
            source, perm = before.source, tuple(before.perm[p] for p in perm)
        self.late[node.outputs[0]] = Permuted(source, perm)

    def _write(self, name: str) -> None:
        """The transposed tensor is needed as it is."""
        found = self.late.get(name)
        if found is None or name in self.written:
            return
        self.written.add(name)
        if found.perm == tuple(range(len(found.perm))):
            self.nodes.append(OnnxNode("Identity", (found.source,), (name,)))
        else:
            self.nodes.append(OnnxNode("Transpose", (found.source,), (name,), {"perm": list(found.perm)}))

    # --- operators along axes -------------------------------------------------------------------------------

    def _moved(self, node: OnnxNode) -> bool:
        """Write an operator that works along axes before the transposes of its inputs, if that can be."""
        found = [self.late.get(name) for name in node.inputs[: None if node.op == "Concat" else 1]]
        if node.op not in ALONG or None in found or len({p.perm for p in found if p is not None}) > 1:
            return False
        sources, perm = [p.source for p in found if p is not None], found[0].perm  # type: ignore[union-attr]
        changed = ALONG[node.op](self, node, perm)
        if changed is None:
            return False
        attrs, rest, *other = changed
        made = replace(node, inputs=(*sources, *rest), attrs={**node.attrs, **attrs})
        self._late_result(made, other[0] if other else perm)
        return True

    def _late_result(self, node: OnnxNode, perm: tuple[int, ...]) -> None:
        """A node whose one result is to be transposed by `perm`, later."""
        (result,) = node.outputs
        name = f"{result}:before"
        type_ = self.graph.types.get(result)
        if type_ is not None:
            dims = tuple(type_.shape[perm.index(k)] for k in range(len(perm)))
            self.graph.types[name] = replace(type_, shape=dims)
        self.nodes.append(replace(node, outputs=(name,)))
        self.late[result] = Permuted(name, perm)

    def constant(self, name: str, what: str, array: np.ndarray) -> str:
        """A constant made of another."""
        found = f"{name}:{what}"
        self.graph.constants[found] = array
        return found

    # --- reductions -----------------------------------------------------------------------------------------

    def _axes(self, node: OnnxNode) -> list[int] | None:
        """Over which axes, where that is known."""
        if "axes" in node.attrs:
            return list(node.attrs["axes"])
        known = len(node.inputs) == 2 and node.inputs[1] in self.graph.constants
        return [int(a) for a in self.graph.constants[node.inputs[1]]] if known else None

    def _below_reduction(self, node: OnnxNode) -> None:
        """Reduce the same elements before the transpose, which becomes one of the axes that are left."""
        before, axes = self.late[node.inputs[0]], self._axes(node)
        assert axes is not None
        perm = before.perm
        gone = [perm[a] for a in axes]  # negative ones too
        left = perm if node.attrs.get("keepdims", 1) else tuple(p for p in perm if p not in gone)
        ranks = {p: k for k, p in enumerate(sorted(left))}
        (result,) = node.outputs
        attrs = dict(node.attrs)
        inputs: tuple[str, ...] = (before.source,)
        if "axes" in attrs:
            attrs["axes"] = gone
        else:
            name = f"{result}:axes"
            self.graph.constants[name] = np.array(gone, np.int64)
            inputs = (before.source, name)
        order = tuple(ranks[p] for p in left)
        moved = order == tuple(range(len(order)))
        name = result if moved else f"{result}:before"
        self.nodes.append(replace(node, inputs=inputs, outputs=(name,), attrs=attrs))
        if not moved:
            self.late[result] = Permuted(name, order)

    # --- elementwise ----------------------------------------------------------------------------------------

    def _sinks(self, node: OnnxNode) -> bool:
        """Can the node work on the tensors before their transposes?"""
        found = [self.late[name] for name in node.inputs if name in self.late]
        if not found or len({p.perm for p in found}) > 1:
            return False
        if node.op in UNARY:
            return node.inputs[0] in self.late
        rest = [name for name in node.inputs if name not in self.late]
        rank = len(found[0].perm)
        return node.op in VARIADIC and all(
            name in self.graph.constants and self.graph.constants[name].ndim <= rank for name in rest
        )

    def _below(self, node: OnnxNode) -> None:
        perm = next(self.late[name].perm for name in node.inputs if name in self.late)
        inputs = [self._before(name, perm, node.op in VARIADIC) for name in node.inputs]
        self._late_result(replace(node, inputs=tuple(inputs)), perm)

    def _before(self, name: str, perm: Sequence[int], broadcasts: bool) -> str:
        """The operand in the layout that the transposes come from."""
        if name in self.late:
            return self.late[name].source
        array = self.graph.constants.get(name)
        if array is None or not broadcasts or array.size == 1:
            return name
        order = "".join(map(str, perm))
        found = f"{name}:before{order}"
        full = array.reshape((1,) * (len(perm) - array.ndim) + array.shape)
        self.graph.constants[found] = np.transpose(full, np.argsort(perm))
        return found
