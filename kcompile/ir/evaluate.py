"""The NumPy interpreter over the ops' `reference` rules: eager mode, and the oracle of the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kcompile.core import symbolic
from kcompile.core.symbolic import Int
from kcompile.ir.graph import Graph, Value, topological


def evaluate(
    roots: list[Value], leaves: Mapping[Value, np.ndarray], symbols: Mapping[str, int]
) -> list[np.ndarray]:
    """Values of `roots` given arrays for parameters and variables and numbers for symbolic dimensions."""
    known: dict[Value, np.ndarray] = dict(leaves)
    for node in topological(roots):
        if all(v in known for v in node.values):
            continue
        attrs = {k: concrete(v, symbols) for k, v in node.attrs.items()}
        result = node.op.evaluate(tuple(known[v] for v in node.inputs), attrs)
        for value, array in zip(node.values, result if node.op.outputs != 1 else (result,), strict=True):
            known[value] = array
    return [known[v] for v in roots]


def run(graph: Graph, leaves: Mapping[Value, np.ndarray], symbols: Mapping[str, int]) -> list[np.ndarray]:
    """Outputs, then the new values of the assigned variables in order."""
    return evaluate(graph.roots(), leaves, symbols)


def concrete(attr: Any, symbols: Mapping[str, int]) -> Any:
    """An attribute with its symbolic dimensions replaced by numbers."""
    if isinstance(attr, Int):
        return symbolic.evaluate(attr, symbols)
    if isinstance(attr, (tuple, list)):
        return type(attr)(concrete(a, symbols) for a in attr)
    return attr.concrete(symbols) if hasattr(attr, "concrete") else attr


def bind_symbols(values: list[Value], arrays: list[np.ndarray]) -> dict[str, int]:
    """Numbers for the symbolic dimensions of parameters, read off the arrays given for them."""
    symbols: dict[str, int] = {}
    for value, array in zip(values, arrays, strict=True):
        for dim, extent in zip(value.shape, array.shape, strict=True):
            if isinstance(dim, Int) and len(dim.terms) == 1 and len(dim.terms[0][0]) == 1:
                ((atom,), times) = dim.terms[0]  # a symbol, or a multiple of it
                symbols[atom.name] = int(extent) // times
    return symbols
