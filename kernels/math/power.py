"""pow(x, y). float32: at most 1 ULP; computed in float64 as 2 ** (y log2 x)."""

from __future__ import annotations

import math

from llvmlite import ir

from kcompile.kernels.math.number import DOUBLE, Number, call_intrinsic, constant, polynomial

ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
ONE_BITS = 1023 << 52
MANTISSA = (1 << 52) - 1
# Added to a double below 2**51 in magnitude, it leaves the nearest integer in the low bits.
TO_INTEGER = 1.5 * 2.0**52
TO_INTEGER_BITS = 0x4338000000000000
# log2((1 + s) / (1 - s)) / s in s**2 for (1 + s) / (1 - s) in [sqrt(1/2), sqrt(2)]: minimax, relative 2**-37.
LOG_TERMS = (
    2.8853900817900966,
    0.961796673343602,
    0.5770835840318217,
    0.4116727936968535,
    0.3407284874046949,
)
# 2**r for |r| <= 1/2: minimax, relative 2**-29.
EXP_TERMS = (
    1.0000000005541663,
    0.6931472057372637,
    0.2402264689062881,
    0.05550328776968474,
    0.009618488957660319,
    0.0013399931221591783,
    0.0001534581185095538,
)
# 2**LEAST rounds to zero and 2**GREATEST to infinity in float32.
LEAST, GREATEST = -200.0, 200.0
INTEGERS_BEYOND = 2.0**23


def pow(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """x to the power y with C's special cases: pow(x, 0) = pow(1, y) = 1; NaN for x < 0 and y no integer."""
    if x.type == DOUBLE:
        return call_intrinsic(b, "pow", x, y)
    base, power = Number(b, x), Number(b, y)
    size = base.magnitude()
    exponent = power.to_double() * _log2(size)
    result = _exp2(exponent).to_single()
    # 0 * inf and inf * 0 gave NaN where |x| = 1 or y = 0.
    result = result.where(size.equals(1.0), _one_or_nan(power))
    negative = base.sign_bit()
    integer, odd = _parity(power)
    result = (result.bits() ^ (negative & odd)).as_float()
    finite_below_zero = base.below(0.0).value
    fractional = b.xor(integer.value, constant(integer.kind, 1))
    invalid = b.and_(b.and_(finite_below_zero, base.above(-math.inf).value), fractional)
    result = result.where(result.new(invalid), math.nan)
    return result.where(base.equals(1.0), 1.0).where(power.equals(0.0), 1.0).value


def _one_or_nan(power: Number) -> Number:
    return power.new(constant(power.kind, 1.0)).where(power.is_nan(), math.nan)


def _log2(x: Number) -> Number:
    """log2 of a float32 that is not negative, as double; -inf at zero."""
    wide = x.to_double()
    shifted = wide.bits() - ROOT_HALF_BITS
    # The exponent as a double by its bits: int64 to double has no instruction on many CPUs.
    biased = (shifted + ONE_BITS).shifted_down(52)
    k = (biased + TO_INTEGER_BITS).as_float() - (TO_INTEGER + 1023.0)
    m = ((shifted & MANTISSA) + ROOT_HALF_BITS).as_float()
    s = (m - 1.0) / (m + 1.0)
    result = k + s * polynomial(s * s, LOG_TERMS)
    result = result.where(wide.equals(0.0), -math.inf)
    return result.where(wide.equals(math.inf), wide).where(wide.is_nan(), wide)


def _exp2(x: Number) -> Number:
    x = x.at_least(LEAST).at_most(GREATEST)
    z = x + TO_INTEGER
    r = x - (z - TO_INTEGER)
    return polynomial(r, EXP_TERMS) * ((z.bits() << 52) + ONE_BITS).as_float()


def _parity(y: Number) -> tuple[Number, Number]:
    """(y is an integer, a mask of all bits where it is odd); infinity is even."""
    size = y.magnitude()
    large = size.compare(">=", INTEGERS_BEYOND)
    whole = (size + INTEGERS_BEYOND) - INTEGERS_BEYOND
    unit = (size + INTEGERS_BEYOND).bits() & 1
    # From 2**23 on the unit is the significand's last digit, from 2**24 on every number is even.
    unit = unit.where(large, size.bits() & 1).where(size.compare(">=", 2.0 * INTEGERS_BEYOND), 0)
    integer = y.new(y.b.or_(large.value, whole.equals(size).value))
    return integer, (0 - unit).where(y.new(y.b.not_(integer.value)), 0)
