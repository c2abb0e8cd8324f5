"""Hyperbolic tangent. float32: at most 2.5 ULP."""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.math.expm1 import expm1_of
from kcompile.kernels.math.number import DOUBLE, Number, call_libm

# Beyond, the result rounds to 1.
GREATEST = 10.0


def tanh(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """tanh(x) = t / (t + 2) with t = exp(2 |x|) - 1, then the sign of x."""
    if x.type == DOUBLE:
        return call_libm(b, "tanh", x)
    y = Number(b, x)
    t = expm1_of(2.0 * y.magnitude().at_most(GREATEST))
    return (t / (t + 2.0)).signed_as(y.sign_bit()).value
