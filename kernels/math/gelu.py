"""x times the normal distribution function (exact GELU), and the latter. float32: 4 ULP (without FMA 4.5)."""

from __future__ import annotations

import math

from llvmlite import ir

from kcompile.kernels.math.exp import exp_of
from kcompile.kernels.math.number import DOUBLE, Number, call_libm, polynomial

# exp(t**2 / 2) Phi(-t) (1 + t / 4) in w - CENTER, w = (t / 4) / (1 + t / 4), 0 <= t <= 14.5: minimax, 0.14
# ULP. The middle of w's range as centre keeps the terms of one size: none cancel.
SLOPE = 0.25
CENTER = 0.390625
TERMS = (
    0.22722043097019196,
    -0.4033244252204895,
    0.5275366306304932,
    -0.4842456579208374,
    0.26230117678642273,
    -0.011845304630696774,
    -0.08896245807409286,
    0.03291871026158333,
    0.028107143938541412,
    -0.01689232513308525,
)
# Phi(-14.5) rounds to zero.
GREATEST = 14.5
# Keeps the upper 12 of a float32's 24 bits, whose square is exact.
UPPER_HALF = -(1 << 12)


def gelu(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """x Phi(x), precise in the negative tail, too; -0 at -inf, its limit."""
    y = Number(b, x)
    if x.type == DOUBLE:
        return (y.at_least(-64.0) * _phi_double(y)).value
    t = y.magnitude().at_most(GREATEST)
    density, ratio = _tail(t)
    # t Phi(-t), in an order that Phi, smaller than the product, cannot underflow in.
    share = density * (ratio * t)
    return (y - share).where(y.below(0.0), -share).value


def normal_cdf(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """Phi(x): the probability that a standard normal variable is at most x."""
    y = Number(b, x)
    if x.type == DOUBLE:
        return _phi_double(y).value
    density, ratio = _tail(y.magnitude().at_most(GREATEST))
    below = density * ratio
    return (1.0 - below).where(y.below(0.0), below).value


def _phi_double(x: Number) -> Number:
    return 0.5 * x.new(call_libm(x.b, "erfc", (-math.sqrt(0.5) * x).value))


def _tail(t: Number) -> tuple[Number, Number]:
    """(exp(-t**2 / 2), Phi(-t) divided by that) for t >= 0."""
    # The square is taken in two parts, as exp would magnify its rounding.
    upper = (t.bits() & UPPER_HALF).as_float()
    lower = t - upper
    density = exp_of(-0.5 * (upper * upper), -0.5 * (lower * (t + upper)))
    part = t * SLOPE
    divisor = part + 1.0
    u = 1.0 / divisor
    # What the divisor lost in rounding.
    u = u - u * ((part - (divisor - 1.0)) * u)
    return density, u * polynomial(part * u - CENTER, TERMS)
