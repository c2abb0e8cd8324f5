"""Arithmetic that ONNX has in another form."""

from __future__ import annotations

import math
from typing import Any

from kcompile.core.dtypes import is_float, is_half, largest
from kcompile.ops.operands import onnx_number

LEAST = {"float32": 2.0**-126, "float64": 2.0**-1022}  # what no runtime takes for 0
FAR = 1e300  # a tangent that doubles do not tell from an infinite one


def mod(g: Any, a: str, b: str) -> str:
    """ONNX's Mod has the divisor's sign for ints only; of floats it is C's, which is exact."""
    if not is_float(g.dtype(a)):
        return str(g.node("Mod", a, b))
    rest = g.node("Mod", a, b, fmod=1)
    return str(g.node("Where", _is_across(g, rest, b), g.node("Add", rest, b), rest))


def _is_across(g: Any, rest: str, b: str) -> str:
    """Does a remainder, or 0, lie on the other side of 0 than its divisor? Signs do not underflow."""
    return str(g.node("Less", g.node("Mul", rest, g.node("Sign", b)), onnx_number(g, 0, rest)))


def floor_divide(g: Any, a: str, b: str) -> str:
    """ONNX's Div rounds ints towards zero, and of floats to the next one, which may lie above the quotient.

    What is left without the remainder is a whole number of divisors.
    """
    if not is_float(g.dtype(a)):
        return str(g.node("Div", g.node("Sub", a, g.node("Mod", a, b)), b))
    rest = g.node("Mod", a, b, fmod=1)
    whole = g.node("Round", g.node("Div", g.node("Sub", a, rest), b))
    down = g.node("Sub", whole, g.cast(_is_across(g, rest, b), g.dtype(a)))
    return str(g.node("Where", g.node("Equal", b, onnx_number(g, 0, b)), g.node("Div", a, b), down))


def _arctan(g: Any, x: str) -> str:
    """Runtimes have no Atan of doubles: it lies arctan((x - tan y) / (1 + x tan y)) beyond y, that of floats.

    That is so little that it is its own tangent.
    """
    y = g.node("Atan", x)
    if g.dtype(x) != "float64":
        return str(y)
    sine, cosine = g.node("Sin", y), g.node("Cos", y)
    x = g.node("Min", x, onnx_number(g, FAR, x))
    across = g.node("Sub", g.node("Mul", x, cosine), sine)
    along = g.node("Add", cosine, g.node("Mul", x, sine))
    return str(g.node("Add", y, g.node("Div", across, along)))


def arctan2(g: Any, a: str, b: str) -> str:
    """The angle in the first quadrant, mirrored; a reciprocal tells -0 from 0.

    The largest numbers stand for infinities, whose quotient would be NaN, and the least for 0 as a divisor.
    """
    if is_half(dtype := g.dtype(a)):  # whose largest numbers are too near for that
        return str(g.cast(arctan2(g, *(g.cast(x, "float32") for x in (a, b))), dtype))
    zero, turn = onnx_number(g, 0, a), onnx_number(g, math.pi, a)
    end = largest(dtype)
    a, b = (g.node("Clip", x, onnx_number(g, -end, x), onnx_number(g, end, x)) for x in (a, b))
    size = g.node("Max", g.node("Abs", b), onnx_number(g, LEAST[dtype], b))
    angle = _arctan(g, g.node("Div", g.node("Abs", a), size))
    left, below = (g.node("Less", g.node("Reciprocal", x), zero) for x in (b, a))
    angle = g.node("Where", left, g.node("Sub", turn, angle), angle)
    return str(g.node("Mul", angle, g.node("Where", below, onnx_number(g, -1, a), onnx_number(g, 1, a))))


def expm1(g: Any, x: str) -> str:
    """exp(x) - 1 = tanh(x / 2) (exp(x) + 1), which keeps what is small and is -1 and infinite at the ends."""
    half = g.node("Tanh", g.node("Mul", x, onnx_number(g, 0.5, x)))
    return str(g.node("Mul", half, g.node("Add", g.node("Exp", x), onnx_number(g, 1, x))))


def log1p(g: Any, x: str) -> str:
    """x log(u) / (u - 1) of u = 1 + x, rounded: the quotient takes u's error back. x where u is 1.

    Of exp(z) it is a Softplus, whose results are as exact as losses, sums with larger numbers, need them.
    Source:  Goldberg 1991, What every computer scientist should know about floating-point arithmetic,
             theorem 4.
    """
    exponential, dtype = g.maker(x), g.dtype(x)
    if exponential is not None and exponential.op == "Exp" and dtype != "float64":
        return str(g.node("Softplus", exponential.inputs[0]))
    one = onnx_number(g, 1, x)
    u = g.node("Add", g.node("Min", x, onnx_number(g, largest(dtype), x)), one)
    slope = g.node("Div", g.node("Log", u), g.node("Sub", u, one))
    # A product has the sign of a zero x, which runtimes lose where they select it.
    return str(g.node("Mul", x, g.node("Where", g.node("Equal", u, one), one, slope)))


def softplus(g: Any, x: str) -> str:
    """Runtimes have no Softplus of doubles."""
    if g.dtype(x) != "float64":
        return str(g.node("Softplus", x))
    tail = log1p(g, g.node("Exp", g.node("Neg", g.node("Abs", x))))
    return str(g.node("Add", g.node("Max", x, onnx_number(g, 0, x)), tail))


def tan(g: Any, x: str) -> str:
    """Runtimes have no Tan of doubles."""
    if g.dtype(x) != "float64":
        return str(g.node("Tan", x))
    return str(g.node("Div", g.node("Sin", x), g.node("Cos", x)))


def relu(g: Any, x: str) -> str:
    """Of unsigned numbers they themselves; runtimes have no Relu of int64, but a Max."""
    if g.dtype(x).startswith("uint"):
        return str(g.node("Identity", x))
    return str(g.node("Max", x, onnx_number(g, 0, x)) if g.dtype(x) == "int64" else g.node("Relu", x))


def round_half_even(g: Any, x: str) -> str:
    """Ints are whole; ONNX rounds floats only."""
    return str(g.node("Round" if is_float(g.dtype(x)) else "Identity", x))


def isnan(g: Any, x: str) -> str:
    """Of ints, which ONNX does not ask, what is not equal to itself: none."""
    if is_float(g.dtype(x)):
        return str(g.node("IsNaN", x))
    return str(g.node("Not", g.node("Equal", x, x)))
