"""Error function. float32: at most 1.2 ULP."""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.math.exp import exp_of
from kcompile.kernels.math.number import DOUBLE, Number, call_libm, polynomial

# erf(x) / x - 1 in x**2 for |x| <= 1: minimax, 0.02 ULP.
NEAR_TERMS = (
    0.12837916612625122,
    -0.3761262595653534,
    0.1128358542919159,
    -0.026853812858462334,
    0.005188328213989735,
    -0.000801019836217165,
    7.853876741137356e-05,
)
# -log(1 - erf(t)) / t for 0.9 <= t <= 4: minimax, 0.05 ULP of erf(t).
FAR_TERMS = (
    1.128519892692566,
    0.6356993913650513,
    0.1052868515253067,
    -0.022906027734279633,
    0.003219974460080266,
    -0.00021459489653352648,
)
BORDER = 1.0
# Beyond, the result rounds to 1.
GREATEST = 4.0


def erf(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x; 1 - exp(polynomial) far from 0."""
    if x.type == DOUBLE:
        return call_libm(b, "erf", x)
    y = Number(b, x)
    t = y.magnitude().at_most(GREATEST)
    near = polynomial(t * t, NEAR_TERMS) * t + t
    far = 1.0 - exp_of(-t * polynomial(t, FAR_TERMS))
    return far.where(t.below(BORDER), near).signed_as(y.sign_bit()).value
