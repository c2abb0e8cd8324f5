"""Square roots, rounding to integers and the order of two numbers: exact but for rsqrt (float32: 1.5 ULP)."""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.math.number import Number, call_intrinsic


def sqrt(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """Square root; NaN below zero."""
    return call_intrinsic(b, "sqrt", x)


def rsqrt(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """1 / sqrt(x), by the two exact instructions: approximations do not save time once they are refined."""
    return (1.0 / Number(b, sqrt(b, x))).value


def floor(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """Greatest integer that is at most x."""
    return call_intrinsic(b, "floor", x)


def ceil(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """Least integer that is at least x."""
    return call_intrinsic(b, "ceil", x)


def round(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """Nearest integer, halves to the even one."""
    return call_intrinsic(b, "roundeven", x)


def maximum(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """The greater of two numbers; NaN if either is."""
    return _ordered(b, ">", x, y)


def minimum(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """The lesser of two numbers; NaN if either is."""
    return _ordered(b, "<", x, y)


def _ordered(b: ir.IRBuilder, sign: str, x: ir.Value, y: ir.Value) -> ir.Value:
    if isinstance(y, ir.Constant):
        x, y = y, x  # the test of a constant for NaN folds away
    first, second = Number(b, x), Number(b, y)
    # One instruction, which yields the second operand where either is NaN.
    picked = second.where(first.compare(sign, second), first)
    return picked.where(first.is_nan(), first).value
