"""Products with constants and sums with constants, one after the other: factor * x + term, once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kcompile.export.onnx.graph import OnnxNode

if TYPE_CHECKING:
    from kcompile.export.onnx.simplify import Around

FACTORS = (1e-9, 1e9)  # beyond these something could overflow that did not before
LARGEST_TERM = 1e4  # a larger one may be there to be taken away again, for what rounding does to it
LARGEST_SUM = 64.0  # x - 2000 is exact for x around 2000; taken from 3 x, 6000 would leave 4e-4 of rounding
STEPS = ("Mul", "Div", "Add", "Sub")


@dataclass(frozen=True)
class Line:
    """factor * source + term, of how many nodes, and how many numbers the widest of their constants has."""

    source: str
    factor: Any
    term: Any
    steps: int
    widest: int


def one_line(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """The chain that ends with this node as a Mul, an Add, or the two, where these are fewer nodes."""
    line = _line(around, node)
    if line is None or line.steps < 2:
        return None
    factor, term = line.factor, line.term
    if max(np.size(factor), np.size(term)) > line.widest:
        return None  # of a row and a column
    if not _all_within(np.asarray(factor), *FACTORS) or not _all_within(np.asarray(term), -1.0, LARGEST_SUM):
        return None
    parts = [("Mul", factor, 1), ("Add", term, 0)]
    if line.widest == 1:  # otherwise even these may give x its shape
        parts = [part for part in parts if part[1] != part[2]]
    return _written(around, node, line.source, parts) if len(parts) < line.steps else None


def _line(around: Around, node: OnnxNode) -> Line | None:
    """What the nodes up to this one compute; each of a chain goes on from what is known of the one before."""
    chain, at, line = list[tuple[str, Any]](), node, None
    while at.outputs[0] not in around.lines:
        step = _step(around, at)
        chain.append((at.outputs[0], step))
        before = around.made(step[0], *STEPS) if step else None
        if before is None:
            break
        at = before
    else:
        line = around.lines[at.outputs[0]]
    for name, step in reversed(chain):
        line = around.lines[name] = None if step is None else _longer(line, *step)
    return line


def _longer(line: Line | None, x: str, factor: Any, term: Any) -> Line:
    """The line with a step behind it."""
    line = line or Line(x, 1.0, 0.0, 0, 1)
    widest = max(line.widest, np.size(factor), np.size(term))
    return Line(line.source, factor * line.factor, factor * line.term + term, line.steps + 1, widest)


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
