"""Arithmetic that ONNX has in another form."""

from __future__ import annotations

import math
from typing import Any

from kcompile.core.dtypes import is_float, largest
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


def expm1(g: Any, x: str) -> str:
    """exp(x) - 1 = tanh(x / 2) (exp(x) + 1), which keeps what is small and is -1 and infinite at the ends."""
    half = g.node("Tanh", g.node("Mul", x, onnx_number(g, 0.5, x)))
    return str(g.node("Mul", half, g.node("Add", g.node("Exp", x), onnx_number(g, 1, x))))


def log1p(g: Any, x: str) -> str:
    """log(u) x / (u - 1) of u = 1 + x, rounded: the quotient takes u's error back. x where u is 1.

    Of exp(z) it is a Softplus, whose results are as exact as losses, sums with larger numbers, need them.
    Source:  Goldberg 1991, What every computer scientist should know about floating-point arithmetic,
             theorem 4.
    """
    exponential = g.maker(x)
    if exponential is not None and exponential.op == "Exp":
        return str(g.node("Softplus", exponential.inputs[0]))
    one = onnx_number(g, 1, x)
    u = g.node("Add", g.node("Min", x, onnx_number(g, largest(g.dtype(x)), x)), one)
    rest = g.node("Div", x, g.node("Sub", u, one))
    return str(g.node("Where", g.node("Equal", u, one), x, g.node("Mul", g.node("Log", u), rest)))


def relu(g: Any, x: str) -> str:
    """Of unsigned numbers they themselves; runtimes have no Relu of int64, but a Max."""
    if g.dtype(x).startswith("uint"):
        return str(g.node("Identity", x))
    return str(g.node("Max", x, onnx_number(g, 0, x)) if g.dtype(x) == "int64" else g.node("Relu", x))
