"""The angle of a point. float32: at most 2.5 ULP; float64 is the C library's."""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.math.number import DOUBLE, Number, call_libm, polynomial

# (arctan(t) - t) / t**3 in t**2 for 0 <= t <= 1: minimax, 0.02 ULP of arctan.
TERMS = (
    -0.3333329908909161,
    0.199985482819502,
    -0.1426424164312826,
    0.10952185522713673,
    -0.08403449433267382,
    0.05795757572901093,
    -0.03117782571243133,
    0.01091459373159908,
    -0.0017936187640515341,
)
# pi / 2 and pi as sums of two float32.
HALF_PI = 1.57079637050628662109375
HALF_PI_REST = -4.37113900018624283e-8


def arctan2(b: ir.IRBuilder, y: ir.Value, x: ir.Value) -> ir.Value:
    """The angle of (x, y) from the x axis, in [-pi, pi], as C defines it for zeros and infinities."""
    if y.type == DOUBLE:
        return call_libm(b, "atan2", y, x)
    up, right = Number(b, y), Number(b, x)
    height, width = up.magnitude(), right.magnitude()
    steep = height.above(width)
    low, high = steep.choose(width, height), steep.choose(height, width)
    t = (low / high).where(low.equals(high), 1.0).where(low.equals(0.0), low)  # infinity or 0 by itself
    square = t * t
    angle = polynomial(square, TERMS) * (square * t) + t
    angle = angle.where(steep, HALF_PI - (angle - HALF_PI_REST))
    angle = angle.where(right.bits().below(0), 2 * HALF_PI - (angle - 2 * HALF_PI_REST))
    angle = angle.where(high.is_nan(), high).where(low.is_nan(), low)
    return angle.signed_as(up.sign_bit()).value
