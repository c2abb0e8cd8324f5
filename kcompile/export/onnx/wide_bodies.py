"""Loops in opsets whose Scan or Loop does not take a dtype: a wider one goes in and out, cast inside."""

from __future__ import annotations

from typing import Any

from kcompile.export.onnx import schema
from kcompile.export.onnx.graph import OnnxGraph, OnnxNode
from kcompile.ir.types import TensorType


def widened(g: Any, op: str, inputs: tuple[str, ...], body: OnnxGraph, attrs: dict[str, Any]) -> list[str]:
    """The results of a loop of which some carried or stacked values have a dtype that `op` does not take.

    `g` is the builder. What the loop carries between its steps is rounded as before, because the body casts
    what it gets and gives.
    """
    formal = schema.signature(op, g.opset)

    def wide(dtype: str, position: int) -> str:
        """What input `position` should be, or else any value of the loop."""
        types: list[TensorType | None] = [None] * position + [TensorType((), dtype)]
        found = schema.wider(op, g.opset, types).get(formal.variable(position))
        return found[1] if found else dtype

    last = len(formal.inputs) - 1
    given = tuple(g.cast(x, wide(g.dtype(x), k)) if x else x for k, x in enumerate(inputs))
    before, after = list[OnnxNode](), list[OnnxNode]()
    takes, gives, results = dict[str, TensorType](), dict[str, TensorType](), list[TensorType]()
    for (name, type_), outer in zip(body.inputs.items(), given, strict=True):
        dtype = g.dtype(outer) if outer else type_.dtype
        takes[_passed(g, name, type_.dtype, dtype, before, inward=True)] = TensorType(type_.shape, dtype)
    for name, type_ in body.outputs.items():
        results.append(type_)
        dtype = wide(type_.dtype, last)
        gives[_passed(g, name, type_.dtype, dtype, after, inward=False)] = TensorType(type_.shape, dtype)
    own = OnnxGraph(takes, gives, [*before, *body.nodes, *after], {})
    made = _outer(g, op, given, own, attrs)
    return [g.cast(name, type_.dtype) for name, type_ in zip(made, results[-len(made) :], strict=True)]


def _passed(g: Any, name: str, inner: str, outer: str, casts: list[OnnxNode], inward: bool) -> str:
    """The name under which a value passes the border of the body, cast there if it must be."""
    if inner == outer:
        return name
    passing = str(g.name(f"{name}_{outer}"))
    source, target, to = (passing, name, inner) if inward else (name, passing, outer)
    casts.append(OnnxNode("Cast", (source,), (target,), {"to": schema.element_type(to)}))
    return passing


def _outer(g: Any, op: str, given: tuple[str, ...], body: OnnxGraph, attrs: dict[str, Any]) -> list[str]:
    """The loop's node. Its results' types are known: ONNX cannot infer those of what reads outer values."""
    flags = 1 if op == "Loop" else 0  # a Loop's body gives its condition first
    types = list(body.outputs.values())[flags:]
    made = g.node(op, *given, outputs=len(types), body=body, **attrs)
    names = list(made) if isinstance(made, tuple) else [made]
    stacked = attrs.get("num_scan_inputs", 0)
    carried = len(given) - stacked - 2 * flags
    for k, (name, type_) in enumerate(zip(names, types, strict=True)):
        front = () if k < carried else (g.shape(given[-1])[0],)
        g.types[name] = TensorType((*front, *type_.shape), type_.dtype)
    return names
