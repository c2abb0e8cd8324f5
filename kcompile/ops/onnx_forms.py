"""Arithmetic that ONNX has in another form."""

from __future__ import annotations

import math
from typing import Any

from kcompile.core.dtypes import is_float
from kcompile.ops.operands import onnx_number


def mod(g: Any, a: str, b: str) -> str:
    """ONNX's Mod has the divisor's sign for ints only."""
    if not is_float(g.dtype(a)):
        return g.node("Mod", a, b)
    return g.node("Sub", a, g.node("Mul", g.node("Floor", g.node("Div", a, b)), b))


def floor_divide(g: Any, a: str, b: str) -> str:
    """ONNX's Div rounds ints towards zero."""
    if is_float(g.dtype(a)):
        return g.node("Floor", g.node("Div", a, b))
    return g.node("Div", g.node("Sub", a, g.node("Mod", a, b)), b)


def arctan2(g: Any, a: str, b: str) -> str:
    zero, turn = onnx_number(g, 0, a), onnx_number(g, math.pi, a)
    angle = g.node("Atan", g.node("Div", a, b))
    angle = g.node("Where", g.node("IsNaN", angle), zero, angle)
    half = g.node("Where", g.node("Less", a, zero), g.node("Neg", turn), turn)
    return g.node("Add", angle, g.node("Where", g.node("Less", b, zero), half, zero))


def relu(g: Any, x: str) -> str:
    """Of unsigned numbers they themselves; runtimes have no Relu of int64, but a Max."""
    if g.dtype(x).startswith("uint"):
        return str(g.node("Identity", x))
    return str(g.node("Max", x, onnx_number(g, 0, x)) if g.dtype(x) == "int64" else g.node("Relu", x))
