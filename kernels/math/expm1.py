"""exp(x) - 1, precise near zero. float32: at most 1.5 ULP."""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.math.exp import GREATEST, reduced
from kcompile.kernels.math.number import DOUBLE, Number, call_libm, polynomial

# (exp(r) - 1 - r) / r**2 for |r| <= ln(2) / 2: minimax, 0.004 ULP of exp(r) - 1.
TERMS = (
    0.5,
    0.1666666567325592,
    0.041666362434625626,
    0.008333389647305012,
    0.0013940625358372927,
    0.00019845877250190824,
)
# Below, the result rounds to -1.
LEAST = -18.0
HALF_BITS = 0x3F000000
# Below this magnitude exp(x) - 1 rounds to x.
TINY = 2.0**-25


def expm1(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """e to the power x, less one."""
    if x.type == DOUBLE:
        return call_libm(b, "expm1", x)
    y = Number(b, x)
    return expm1_of(y.at_least(LEAST).at_most(GREATEST)).where(y.magnitude().below(TINY), y).value


def expm1_of(x: Number) -> Number:
    """exp(x) - 1 for x between LEAST and GREATEST, or NaN; loses a subnormal's last bit and -0's sign."""
    n, r = reduced(x)
    p = polynomial(r, TERMS) * r * r + r
    # Twice (2**(n-1) p + 2**(n-1) - 1/2), as 2**n may overflow where the result does not.
    scale = (n + HALF_BITS).as_float()
    half = scale * p + (scale - 0.5)
    return half + half
