"""Division of floats into a whole quotient and a remainder, rounded towards minus infinity.

Subtracting quotient * y from x in one fused operation loses nothing, and what is left shows whether rounding
has put the quotient one too high; it is never too low. A quotient beyond the floats' whole numbers (2**24 in
float32) is rounded to a whole number, half a unit of its last digit away: what that leaves is exact as well,
and is divided again.
"""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.math.number import Number, call_intrinsic

STEPS = 3  # of a remainder: it is exact for quotients of so many times a float's digits


def floor_quotient(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """The greatest integer that is at most x / y."""
    divisor = Number(b, y)
    ratio = Number(b, x) / divisor
    quotient = Number(b, call_intrinsic(b, "floor", ratio.value))
    rest = _left(Number(b, x), quotient, divisor)
    quotient = quotient.where(_is_across(rest, divisor), quotient - 1.0)
    return quotient.where(rest.is_nan(), rest).where(divisor.equals(0.0), ratio).value


def remainder(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """x - y * floor_quotient(x, y), which has the sign of y, and may be y once it is rounded."""
    rest, divisor = Number(b, x), Number(b, y)
    for _ in range(STEPS):
        nearest = Number(b, call_intrinsic(b, "rint", (rest / divisor).value))
        rest = _left(rest, nearest, divisor)
    return rest.where(_is_across(rest, divisor), rest + divisor).value


def _left(dividend: Number, quotient: Number, divisor: Number) -> Number:
    """dividend - quotient * divisor; 0 times an infinite divisor would be NaN."""
    fused = call_intrinsic(dividend.b, "fma", (-quotient).value, divisor.value, dividend.value)
    return dividend.new(fused).where(quotient.equals(0.0), dividend)


def _is_across(rest: Number, divisor: Number) -> Number:
    """Does what is left lie on the other side of 0 than the divisor?"""
    return divisor.below(0.0).choose(rest.above(0.0), rest.below(0.0))
