"""log(1 + x), precise near zero. float32: at most 1 ULP."""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.math.log import at_the_ends, log_of, split
from kcompile.kernels.math.number import DOUBLE, Number, call_libm


def log1p(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """log(1 + x); -inf at -1, NaN below."""
    if x.type == DOUBLE:
        return call_libm(b, "log1p", x)
    y = Number(b, x)
    u = y + 1.0
    k, m = split(u)
    near = k.equals(0.0)
    # What 1 + x lost in rounding; near zero x itself is the argument and nothing was lost.
    lost = (y - (u - 1.0)).where(k.above(1.5), 1.0 - (u - y)) / u
    result = log_of(k, (m - 1.0).where(near, y), lost.where(near, 0.0))
    return at_the_ends(result, u).where(y.equals(0.0), y).value
