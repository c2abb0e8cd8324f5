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
    return _ordered(b, "maximum", x, y)


def minimum(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """The lesser of two numbers; NaN if either is."""
    return _ordered(b, "minimum", x, y)


def _ordered(b: ir.IRBuilder, name: str, x: ir.Value, y: ir.Value) -> ir.Value:
    """LLVM's own operation, which it vectorizes as a reduction, too. -0 and 0 are taken as equal: told apart,
    they would cost two instructions more.
    """
    return call_intrinsic(b, name, x, y, flags=("nsz",))
