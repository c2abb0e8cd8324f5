"""The mathematics of CUDA kernels beyond the device's own: plain Python, inlined by a device's compiler.

The names are those that expressions are written with on every target. Constants are float32 that float64
holds exactly, so that one text serves both.
"""

from __future__ import annotations

from typing import Any

from kcompile.kernels.math.cuda_primitives import (
    bits_f32,
    erfc,
    exp,
    f16,
    f32,
    f32_bits,
    floor,
    fma,
    i8,
    i16,
    i64,
    log1p,
    sqrt,
    u8,
    u16,
    u32,
)


def select(condition: Any, a: Any, b: Any) -> Any:
    """Both are evaluated, one is taken."""
    return a if condition else b


def maximum(a: Any, b: Any) -> Any:
    """NaN if either is."""
    return a if (a > b) | (a != a) else b


def minimum(a: Any, b: Any) -> Any:
    """NaN if either is."""
    return a if (a < b) | (a != a) else b


def add_up(total: Any, x: Any) -> Any:
    """One more term of a sum."""
    return total + x


def multiply_up(total: Any, x: Any) -> Any:
    """One more factor of a product."""
    return total * x


def relu(x: Any) -> Any:
    """The larger of x and 0; NaN stays NaN."""
    return f32(0.0) if x < f32(0.0) else x


def magnitude(x: Any) -> Any:
    return abs(x)


def sign_of(x: Any) -> Any:
    """-1, 0 or 1; NaN stays NaN."""
    return f32(1.0) if x > f32(0.0) else (f32(-1.0) if x < f32(0.0) else x)


def rsqrt(x: Any) -> Any:
    return f32(1.0) / sqrt(x)


def sigmoid(x: Any) -> Any:
    return f32(1.0) / (f32(1.0) + exp(-x))


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), which overflows nowhere."""
    return maximum(x, f32(0.0)) + log1p(exp(-abs(x)))


def normal_cdf(x: Any) -> Any:
    """The normal distribution function, exact to the end of its lower tail."""
    z = sqrt(x * x * f32(0.5))
    return f32(0.5) * erfc(-z if x > f32(0.0) else z)


def floor_quotient(a: Any, b: Any) -> Any:
    """a / b towards minus infinity, as NumPy divides: corrected where rounding is one too high."""
    quotient = floor(a / b)
    rest = a if quotient == f32(0.0) else fma(-quotient, b, a)
    across = rest > f32(0.0) if b < f32(0.0) else rest < f32(0.0)
    return quotient - f32(1.0) if across else quotient


def nearest_rest(a: Any, b: Any) -> Any:
    """a less the multiple of b next to it, or next to the rounded quotient: exact either way."""
    quotient = floor(a / b + f32(0.5))
    return a if quotient == f32(0.0) else fma(-quotient, b, a)


def remainder(a: Any, b: Any) -> Any:
    """a - b * floor_quotient(a, b), with the sign of b (as on the CPU, `division.py`)."""
    rest = nearest_rest(nearest_rest(nearest_rest(a, b), b), b)
    across = rest > f32(0.0) if b < f32(0.0) else rest < f32(0.0)
    return rest + b if across else rest


def integer_power(base: Any, exponent: Any) -> Any:
    """base ** exponent modulo 2**64, by squaring; exponents are not negative."""
    total, square, left = i64(1), i64(base), i64(exponent)
    while left > 0:
        total = total * square if (left & 1) == 1 else total
        square = square * square
        left = left >> 1
    return total


def from_bf16(word: Any) -> Any:
    """The float32 whose upper half a uint16 is."""
    return bits_f32(u32(u32(word) << u32(16)))


def to_bf16(x: Any) -> Any:
    """The upper half of a float32 as uint16, rounded to nearest, ties to even; NaN stays NaN."""
    word = f32_bits(x)
    rounded = u32(word + u32(0x7FFF) + u32(u32(word >> u32(16)) & u32(1)))
    return u16(u32(0x7FC0) if x != x else u32(rounded >> u32(16)))


def round_bf16(x: Any) -> Any:
    """A float32 rounded to the nearest bfloat16."""
    return from_bf16(to_bf16(x))


def round_f16(x: Any) -> Any:
    """A float32 rounded to the nearest float16."""
    return f32(f16(x))


def narrow_i8(x: Any) -> Any:
    return i64(i8(i64(x)))


def narrow_i16(x: Any) -> Any:
    return i64(i16(i64(x)))


def narrow_u8(x: Any) -> Any:
    return i64(u8(i64(x)))


def narrow_u16(x: Any) -> Any:
    return i64(u16(i64(x)))


__all__ = [
    "add_up", "floor_quotient", "from_bf16", "integer_power", "magnitude", "maximum", "minimum",
    "multiply_up", "narrow_i8", "narrow_i16", "narrow_u8", "narrow_u16", "nearest_rest", "normal_cdf",
    "relu", "remainder", "round_bf16", "round_f16", "rsqrt", "select", "sigmoid", "sign_of", "softplus",
    "to_bf16",
]  # fmt: skip
