"""Division of floats into a whole quotient and a remainder, rounded towards minus infinity: exact.

Subtracting quotient * y from x in one fused operation loses nothing, and what is left shows whether rounding
has put the quotient one off. Quotients beyond the floats' whole numbers (2**24 in float32) have no meaningful
remainder.
"""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.math.number import Number, call_intrinsic


def floor_quotient(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """The greatest integer that is at most x / y."""
    return _divided(b, x, y)[0].value


def remainder(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """x - y * floor_quotient(x, y), which has the sign of y."""
    return _divided(b, x, y)[1].value


def _divided(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> tuple[Number, Number]:
    dividend, divisor = Number(b, x), Number(b, y)
    ratio = dividend / divisor
    quotient = Number(b, call_intrinsic(b, "floor", ratio.value))
    rest = Number(b, call_intrinsic(b, "fma", (-quotient).value, y, x))
    rest = rest.where(quotient.equals(0.0), dividend)  # 0 times an infinite divisor is NaN
    negative = divisor.below(0.0)
    too_high = negative.choose(rest.above(0.0), rest.below(0.0))
    too_low = negative.choose(rest.compare("<=", divisor), rest.compare(">=", divisor))
    quotient = quotient.where(too_low, quotient + 1.0).where(too_high, quotient - 1.0)
    quotient = quotient.where(rest.is_nan(), rest).where(divisor.equals(0.0), ratio)
    return quotient, rest.where(too_low, rest - divisor).where(too_high, rest + divisor)
