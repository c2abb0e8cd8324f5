"""Floats of two bytes in composites and contractions: computed in float32, rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile.core import dtypes
from kcompile.ir.graph import Node, Value
from kcompile.ops import elementwise as ew


def decomposition(node: Node, inputs: Sequence[Value]) -> tuple[Value, ...]:
    """A composite in terms of other ops, by its `decompose` rule."""
    op = node.op
    widens = op.widens and any(dtypes.is_half(x.dtype) for x in inputs)
    made = op.rules["decompose"](*(widened(inputs) if widens else inputs), **node.attrs)
    results = made if isinstance(made, tuple) else (made,)
    return narrowed(results, node) if widens else results


def widened(inputs: Sequence[Value]) -> list[Value]:
    """The inputs, those of two bytes as float32."""
    return [ew.cast(x, "float32") if dtypes.is_half(x.dtype) else x for x in inputs]


def narrowed(results: Sequence[Any], node: Node) -> tuple[Value, ...]:
    """Results in the dtypes that the node has."""
    return tuple(
        ew.cast(y, v.dtype) if dtypes.is_float(v.dtype) else y
        for y, v in zip(results, node.values, strict=True)
    )
