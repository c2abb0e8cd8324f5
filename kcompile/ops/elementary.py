"""Elementwise functions that are short formulas of other ops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import DTypeError, message
from kcompile.ops import create
from kcompile.ops import elementwise as ew
from kcompile.ops.composite import composite, floating
from kcompile.ops.special import signed, two


def exp2(x: Any) -> Any:
    """2^x."""
    x = floating(x)
    return ew.power(ew.as_tensor(2.0, dtypes.standardize(x.dtype)), x)


def _magnitude(x: Any) -> Any:
    """|x| with slope 1 at 0, so that what is given its sign back has the slope of one side there."""
    return ew.where(ew.less(x, 0), ew.negative(x), x)


def _cbrt_onnx(g: Any, x: str) -> str:
    root = g.node("Pow", g.node("Abs", x), ew.onnx_number(g, 1 / 3, x))
    return str(g.node("Mul", g.node("Sign", x), root))


cbrt_op = composite(
    "cbrt",
    np.cbrt,
    lambda x: signed(x, ew.power(_magnitude(x), 1.0 / 3.0)),
    _cbrt_onnx,
    far=(-math.inf, -1e30, -8.0, 0.0, 1e-30, math.inf, math.nan),
)


def cbrt(x: Any) -> Any:
    """The cube root, negative for negative x."""
    return cbrt_op(floating(x))


def sinc(x: Any) -> Any:
    """sin(pi x) / (pi x), and 1 at 0."""
    x = floating(x)
    angle = ew.multiply(ew.where(ew.equal(x, 0), 1.0, x), math.pi)
    return ew.where(ew.equal(x, 0), 1.0, ew.true_divide(ew.sin(angle), angle))


def deg2rad(x: Any) -> Any:
    """Degrees as radians."""
    return ew.multiply(floating(x), math.pi / 180)


def rad2deg(x: Any) -> Any:
    """Radians as degrees."""
    return ew.multiply(floating(x), 180 / math.pi)


def trunc(x: Any) -> Any:
    """x without its fraction."""
    x = ew.as_tensor(x)
    return ew.where(ew.less(x, 0), ew.ceil(x), ew.floor(x)) if dtypes.is_float(ew.common_dtype(x)) else x


def fmod(x1: Any, x2: Any) -> Any:
    """The remainder that has the sign of x1."""
    a, b = ew.operands(x1, x2, dtype=ew.number_of(ew.common_dtype(x1, x2)))
    if dtypes.is_float(ew.common_dtype(a)):
        return signed(a, ew.mod(_magnitude(a), ew.absolute(b)))
    rest = ew.mod(a, b)  # has the sign of b; the least int has no magnitude to compute with
    across = ew.logical_and(ew.not_equal(rest, 0), ew.not_equal(ew.less(a, 0), ew.less(b, 0)))
    return ew.where(across, ew.subtract(rest, b), rest)


def fmax(x1: Any, x2: Any) -> Any:
    """The larger of two; of a number and a NaN the number. Of equal ones the gradient is x2's, as in JAX."""
    a, b = ew.operands(x1, x2)
    return ew.where(ew.logical_or(ew.greater(a, b), ew.isnan(b)), a, b)


def fmin(x1: Any, x2: Any) -> Any:
    """The smaller of two; of a number and a NaN the number. Of equal ones the gradient is x2's, as in JAX."""
    a, b = ew.operands(x1, x2)
    return ew.where(ew.logical_or(ew.less(a, b), ew.isnan(b)), a, b)


def heaviside(x1: Any, x2: Any) -> Any:
    """0 where x1 is negative, 1 where it is positive, x2 where it is 0."""
    a, b = two(x1, x2)
    result = ew.where(ew.less(a, 0), 0.0, ew.where(ew.greater(a, 0), 1.0, b))
    return ew.where(ew.isnan(a), a, result)


def divide_no_nan(x1: Any, x2: Any) -> Any:
    """x1 / x2, and 0 where x2 is 0."""
    a, b = two(x1, x2)
    zero = ew.equal(b, 0)
    return ew.where(zero, 0.0, ew.true_divide(a, ew.where(zero, 1.0, b)))


def ldexp(x1: Any, x2: Any) -> Any:
    """x1 2^x2 for integers x2.

    >>> float(ldexp(0.75, 3))
    6.0
    """
    if not dtypes.is_int(ew.common_dtype(x2)):
        raise DTypeError(
            message("ldexp: the exponent must be integer.", received=f"x2 of {ew.common_dtype(x2)}")
        )
    x = floating(x1)
    two, places = ew.as_tensor(2.0, dtypes.standardize(x.dtype)), ew.cast(x2, x.dtype)
    half = ew.floor(ew.multiply(places, 0.5))  # the whole power may be infinite where the result is not
    y = ew.multiply(ew.multiply(x, ew.power(two, half)), ew.power(two, ew.subtract(places, half)))
    return ew.where(ew.equal(x, 0), x, y)


def fabs(x: Any) -> Any:
    """|x| as a float."""
    return ew.absolute(floating(x))


def real(x: Any) -> Any:
    """The real part: x itself, as tensors are real."""
    return ew.as_tensor(x)


def imag(x: Any) -> Any:
    """The imaginary part: zeros, as tensors are real."""
    return create.zeros_like(x)


def isreal(x: Any) -> Any:
    """True everywhere, as tensors are real."""
    x = ew.as_tensor(x)
    return ew.logical_or(ew.equal(x, x), True)


def angle(x: Any) -> Any:
    """The angle in the complex plane: pi for negative numbers, else 0."""
    x = floating(x)
    return ew.where(ew.isnan(x), x, ew.where(signbit(x), ew.as_tensor(math.pi, ew.common_dtype(x)), 0.0))


def isposinf(x: Any) -> Any:
    """Is x positive infinity?"""
    return ew.equal(x, math.inf)


def isneginf(x: Any) -> Any:
    """Is x negative infinity?"""
    return ew.equal(x, -math.inf)


def signbit(x: Any) -> Any:
    """Is x negative? True for -0.0, too."""
    x = ew.as_tensor(x)
    if not dtypes.is_float(ew.common_dtype(x)):
        return ew.less(x, 0)
    return ew.less(ew.where(ew.equal(x, 0), ew.true_divide(1.0, x), x), 0)
