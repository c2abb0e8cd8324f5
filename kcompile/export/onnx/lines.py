"""Products with constants and sums with constants, one after the other: factor * x + term, once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kcompile.export.onnx.graph import OnnxNode

if TYPE_CHECKING:
    from kcompile.export.onnx.simplify import Around

FACTORS = (1e-9, 1e9)  # beyond these something could overflow that did not before
LARGEST_TERM = 1e4  # a larger one may be there to be taken away again, for what rounding does to it
LARGEST_SUM = 64.0  # x - 2000 is exact for x around 2000; taken from 3 x, 6000 would leave 4e-4 of rounding
STEPS = ("Mul", "Div", "Add", "Sub")


def one_line(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """The chain that ends with this node as a Mul, an Add, or the two, where these are fewer nodes."""
    steps, source, last = [], "", node
    while (step := _step(around, last)) is not None:
        source, *values = step
        steps.append(values)
        following = next(filter(None, (around.made(source, op) for op in STEPS)), None)
        if following is None:
            break
        last = following
    if len(steps) < 2:
        return None
    factor, term = np.float64(1), np.float64(0)
    for f, t in steps:
        factor, term = factor * f, factor * t + term
    sizes = [np.size(v) for step in steps for v in step]
    if max(np.size(factor), np.size(term)) > max(sizes):
        return None  # of a row and a column
    if not _all_within(np.asarray(factor), *FACTORS) or not _all_within(np.asarray(term), -1.0, LARGEST_SUM):
        return None
    parts = [("Mul", factor, 1), ("Add", term, 0)]
    if max(sizes) == 1:  # otherwise even these may give x its shape
        parts = [part for part in parts if part[1] != part[2]]
    return _written(around, node, source, parts) if len(parts) < len(steps) else None


def _step(around: Around, node: OnnxNode) -> tuple[str, Any, Any] | None:
    """(x, factor, term) of a node with a constant."""
    if around.dtype(node.outputs[0]) != "float32":
        return None
    for x, other in (node.inputs, node.inputs[::-1]):
        array = around.array(other)
        if array is None or around.array(x) is not None or array.ndim > (around.rank(x) or 0):
            continue
        c, is_first = array.astype(np.float64), other == node.inputs[0]
        if node.op in ("Mul", "Div"):
            if (node.op == "Div" and is_first) or not _all_within(c, *FACTORS):
                return None
            return x, 1 / c if node.op == "Div" else c, 0.0
        if not _all_within(c, -1.0, LARGEST_TERM):
            return None
        if node.op == "Add":
            return x, 1.0, c
        return (x, -1.0, c) if is_first else (x, 1.0, -c)
    return None


def _all_within(c: np.ndarray, low: float, high: float) -> bool:
    return bool(((np.abs(c) > low) & (np.abs(c) < high)).all())


def _written(around: Around, node: OnnxNode, x: str, parts: list[tuple[str, Any, int]]) -> list[OnnxNode]:
    result = node.outputs[0]
    if not parts:
        return [OnnxNode("Identity", (x,), node.outputs)]
    made = []
    for op, value, _ in parts:
        constant = around.constant(f"{result}:{op.lower()}", np.asarray(value, np.float32))
        is_last = op == parts[-1][0]
        outputs = node.outputs if is_last else (f"{result}:scaled",)
        made.append(replace(node, op=op, inputs=(x, constant), outputs=outputs))
        x = outputs[0]
    if result in around.graph.types:
        around.graph.types[made[0].outputs[0]] = around.graph.types[result]
    return made
