"""Graphs as text for people, and dumps after each stage."""

from __future__ import annotations

import itertools
import os
from typing import Any

from kcompile.core import config
from kcompile.ir.graph import Graph, Value

_stage = itertools.count()


def graph_text(graph: Graph) -> str:
    """One line per node: `%3 = multiply(%1, %2): float32[batch,10]   # layer path`. Numbers count from 0 in
    each graph.
    """
    numbers: dict[Value, str] = {}
    lines = []
    for node in graph.nodes():
        for v in node.values:
            numbers[v] = f"%{len(numbers)}"
        shown = ", ".join([*(numbers[v] for v in node.inputs), *(_attr(k, a) for k, a in node.attrs.items())])
        left = ", ".join(numbers[v] for v in node.values)
        types = ", ".join(repr(v.type) for v in node.values)
        origin = f"   # {node.origin}" if node.origin else ""
        lines.append(f"{left} = {node.op.name}({shown}): {types}{origin}")
    lines.append(f"return {', '.join(numbers[v] for v in graph.outputs)}")
    lines += [f"assign {var.node.attrs['name']} <- {numbers[new]}" for var, new in graph.assignments.items()]
    return "\n".join(lines)


def _attr(name: str, value: Any) -> str:
    return f"{name}={value!r}".replace(" ", "")


def dump(graph: Graph, stage: str) -> None:
    """Print (KCOMPILE_DEBUG=graph, or trace for the first stage) and write (KCOMPILE_DUMP) a graph."""
    wanted = config.debugs("graph") or (stage == "traced" and config.debugs("trace"))
    if wanted:
        print(f"--- {graph.name} after {stage}\n{graph_text(graph)}")
    folder = config.current().dump
    if folder:
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{next(_stage):02d}_{graph.name}_{stage}.txt"), "w") as file:
            file.write(graph_text(graph) + "\n")
