"""Reverse-mode differentiation of a graph by the vjp rules of its ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile.core import dtypes
from kcompile.ir.graph import Value, set_origin, topological
from kcompile.ir.op import constant
from kcompile.ops import movement
from kcompile.ops.widening import decomposition


def gradients(loss: Value, wrt: Sequence[Value]) -> list[Value | None]:
    """d sum(loss) / d each of `wrt`; None where the loss does not depend on it."""
    return pull_back(loss, movement.broadcast_to(constant(1.0, loss.dtype), loss.shape), wrt)


def pull_back(y: Value, dy: Any, wrt: Sequence[Value]) -> list[Value | None]:
    """Cotangents of `wrt` for the cotangent `dy` of y."""
    return pull_back_all([y], [dy], wrt)


def pull_back_all(ys: Sequence[Value], dys: Sequence[Any], wrt: Sequence[Value]) -> list[Value | None]:
    """Cotangents of `wrt` for the cotangents of several values."""
    sources = {v.node for v in wrt}  # where the walk ends
    nodes = topological(ys, sources)  # of a composite, not all that lies behind it: there are many of them
    needed = set(sources)
    for node in nodes:  # only paths that lead to `wrt` are walked
        if any(v.node in needed for v in node.inputs):
            needed.add(node)
    cotangents: dict[Value, Any] = {}
    for y, dy in zip(ys, dys, strict=True):
        cotangents[y] = cotangents[y] + dy if y in cotangents else dy
    wanted = set(wrt)
    for node in reversed(nodes):
        if node not in needed or node in sources:
            continue
        outputs = [cotangents.get(v) for v in node.values]
        if all(d is None for d in outputs):
            continue
        for x, dx in zip(node.inputs, node_vjp(node, outputs), strict=True):
            if dx is None or (x.node not in needed and x not in wanted) or not dtypes.is_float(x.dtype):
                continue
            before = cotangents.get(x)
            cotangents[x] = dx if before is None else before + dx
    return [cotangents.get(v) for v in wrt]


def node_vjp(node: Any, outputs: list[Any]) -> tuple[Any, ...]:
    """The cotangents of a node's inputs."""
    before = set_origin(f"{node.origin} gradient" if node.origin else "gradient")
    try:
        return _node_vjp(node, outputs)
    finally:
        set_origin(before)


def _node_vjp(node: Any, outputs: list[Any]) -> tuple[Any, ...]:
    op = node.op
    if not op.has("vjp"):
        if op.has("decompose"):
            parts = zip(decomposition(node, node.inputs), outputs, strict=True)
            known = [(part, dy) for part, dy in parts if dy is not None]
            distinct = list(dict.fromkeys(node.inputs))  # what stands there twice has one cotangent
            found = pull_back_all([p for p, _ in known], [d for _, d in known], distinct)
            slopes = dict(zip(distinct, found, strict=True))
            return tuple(slopes.pop(x, None) for x in node.inputs)
        raise NotImplementedError(
            f"op {op.name!r} has no gradient (vjp rule); use ops.stop_gradient around it"
        )
    if op.outputs == 1:
        return op.rules["vjp"](outputs[0], node.values[0], *node.inputs, **node.attrs)
    if op.has_bodies:
        return op.rules["vjp"](outputs, node.values, *node.inputs, pull_back=pull_back_all, **node.attrs)
    filled = tuple(movement.or_zeros(d, v) for v, d in zip(node.values, outputs, strict=True))
    return op.rules["vjp"](filled, node.values, *node.inputs, **node.attrs)
