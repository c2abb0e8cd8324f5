"""exp(x). float32: at most 1.2 ULP."""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.math.number import DOUBLE, Number, call_intrinsic, polynomial

LOG2_E = 1.44269504088896341
# ln 2 in two parts; the first has 15 bits, so that its product with an exponent is exact.
LN2_HIGH = 0.693145751953125
LN2_LOW = 1.42860682030941723e-6
# Added to a float32 below 2**22 in magnitude, it leaves the nearest integer in the low bits.
TO_INTEGER = 12582912.0
ONE_BITS = 0x3F800000
# (exp(r) - 1 - r) / r**2 for |r| <= ln(2) / 2: minimax, 0.05 ULP of exp(r).
TERMS = (
    0.4999999403953552,
    0.1666652113199234,
    0.04166838899254799,
    0.008368715643882751,
    0.0013814601115882397,
)
# exp overflows above 88.7 and rounds to zero below -103.98.
LEAST, GREATEST = -104.0, 89.0


def exp(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """e to the power x; subnormal results are exact to their last bit's rounding, overflow is infinite."""
    if x.type == DOUBLE:
        return call_intrinsic(b, "exp", x)
    return exp_of(Number(b, x).at_least(LEAST).at_most(GREATEST)).value


def exp_of(x: Number, tail: Number | None = None) -> Number:
    """exp(x + tail) of float32 between LEAST and GREATEST, or NaN; tail is small beside x."""
    n, r = reduced(x, tail)
    return scaled((polynomial(r, TERMS) * r + 1.0) * r + 1.0, n)


def reduced(x: Number, tail: Number | None = None) -> tuple[Number, Number]:
    """(n * 2**23 as integer, r) such that x + tail = n ln 2 + r, n the nearest integer."""
    z = x * LOG2_E + TO_INTEGER
    n = z - TO_INTEGER
    r = x - n * LN2_HIGH
    if tail is not None:
        r = r + tail
    return z.bits() << 23, r - n * LN2_LOW


def scaled(p: Number, n: Number) -> Number:
    """p * 2**n, n given times 2**23, by two factors: 2**n may exceed float32 where the product does not."""
    half = (n >> 1) & -(1 << 23)
    rest = n - half
    return p * (rest + ONE_BITS).as_float() * (half + ONE_BITS).as_float()
