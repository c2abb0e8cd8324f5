"""Natural logarithm. float32: at most 1 ULP."""

from __future__ import annotations

import math

from llvmlite import ir

from kcompile.kernels.math.exp import LN2_HIGH, LN2_LOW
from kcompile.kernels.math.number import DOUBLE, Number, call_intrinsic, constant, polynomial

SMALLEST_NORMAL = 2.0**-126
LARGEST = 3.4028234663852886e38
ROOT_HALF_BITS = 0x3F3504F3
MANTISSA = 0x7FFFFF
# (log(1 + f) - f + f**2 / 2) / f**3 for 1 + f in [sqrt(1/2), sqrt(2)]: minimax, 0.1 ULP of log(1 + f).
TERMS = (
    0.3333333134651184,
    -0.2500081956386566,
    0.20001226663589478,
    -0.16623356938362122,
    0.14201758801937103,
    -0.13160182535648346,
    0.1276157647371292,
    -0.07634495943784714,
)


def log(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """log(x); -inf at zero, NaN below."""
    if x.type == DOUBLE:
        return call_intrinsic(b, "log", x)
    y = Number(b, x)
    subnormal = y.below(SMALLEST_NORMAL)
    k, m = split(y.where(subnormal, y * 2.0**23))
    k = k.where(subnormal, k - 23.0)
    return at_the_ends(log_of(k, m - 1.0), y).value


def split(x: Number) -> tuple[Number, Number]:
    """(k, m) with x = 2**k m and m in [sqrt(1/2), sqrt(2)), both float32, for x normal and positive."""
    shifted = x.bits() - ROOT_HALF_BITS
    return (shifted >> 23).to_float(), ((shifted & MANTISSA) + ROOT_HALF_BITS).as_float()


def log_of(k: Number, f: Number, tail: Number | None = None) -> Number:
    """k ln 2 + log(1 + f) + tail, tail small beside f."""
    square = f * f
    low = k * LN2_LOW if tail is None else k * LN2_LOW + tail
    rest = polynomial(f, TERMS) * (square * f) + low
    return k * LN2_HIGH + (f - (0.5 * square - rest))


def at_the_ends(result: Number, x: Number) -> Number:
    """The result, but for x the logarithm's values at infinity, at zero, below zero and of a NaN."""
    invalid = x.new(x.b.fcmp_unordered("<", x.value, constant(x.kind, 0.0)))
    result = result.where(x.above(LARGEST), x)
    return result.where(x.equals(0.0), -math.inf).where(invalid, math.nan)
