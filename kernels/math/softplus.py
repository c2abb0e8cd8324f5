"""log(1 + exp(x)). float32: at most 2.5 ULP."""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.math.exp import LEAST, exp_of
from kcompile.kernels.math.number import DOUBLE, Number, call_intrinsic, call_libm, polynomial

# log(1 + e) / e for 0 <= e <= 1: minimax, 0.08 ULP.
TERMS = (
    1.0,
    -0.4999990165233612,
    0.33329951763153076,
    -0.24954058229923248,
    0.19675610959529877,
    -0.1530475914478302,
    0.10602375864982605,
    -0.05694785714149475,
    0.01984563283622265,
    -0.0032427997794002295,
)


def softplus(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """max(x, 0) + log(1 + exp(-|x|))."""
    y = Number(b, x)
    if x.type == DOUBLE:
        e = call_intrinsic(b, "exp", (-y.magnitude()).value)
        return (y.at_least(0.0) + y.new(call_libm(b, "log1p", e))).value
    small = exp_of((-y.magnitude()).at_least(LEAST))
    return (y.at_least(0.0) + small * polynomial(small, TERMS)).value
