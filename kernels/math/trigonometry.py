"""Sine and cosine over all finite arguments. float32: at most 1.8 ULP (2.5 without FMA).

Reducing the argument is exact for any magnitude: the significand, an integer, times the bits of 2 / pi
that the exponent leaves relevant (M. Payne and R. Hanek 1983), in 64-bit integers, by selections.
"""

from __future__ import annotations

import math

from llvmlite import ir

from kcompile.kernels.math.number import DOUBLE, I32, Number, call_intrinsic, constant, polynomial, shaped

# Binary digits of 2 / pi; the leading word stands for the zeros before the point.
TWO_OVER_PI = (0, 0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0, 0xDB629599, 0x3C439041, 0xFE5163AB)
# Exponents up to 254 begin at these words.
FIRST_WORDS = 5
# Where the digits begin that weigh 2 in (significand as integer) * 2**(exponent - 150) * 2 / pi.
BIT_OF_EXPONENT = -120
# (sin x - x) / x**3 and (cos x - 1 + x**2 / 2) / x**4 in x**2, |x| <= pi / 4: minimax, 0.06 and 0.002 ULP.
SINE_TERMS = (-0.16666655242443085, 0.00833216030150652, -0.00019515218446031213)
COSINE_TERMS = (0.04166664555668831, -0.0013887315290048718, 2.4433082217001356e-05)
# pi / 2 as the sum of two float32.
HALF_PI = 1.57079637050628662109375
HALF_PI_REST = -4.37113900018624283e-8
INFINITY_BITS = 0x7F800000


def sin(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """Sine of x radians; NaN at infinity."""
    return call_intrinsic(b, "sin", x) if x.type == DOUBLE else _wave(Number(b, x), 0).value


def cos(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """Cosine of x radians; NaN at infinity."""
    return call_intrinsic(b, "cos", x) if x.type == DOUBLE else _wave(Number(b, x), 1).value


def _wave(x: Number, ahead: int) -> Number:
    """Sine of x + ahead * pi / 2."""
    magnitude = x.magnitude()
    quadrant, r = _reduced(magnitude.bits())
    near = magnitude.below(math.pi / 4)
    quadrant, r = quadrant.where(near, 0), r.where(near, magnitude)
    # The sine is odd: for its sign only; the cosine is even.
    sign = x.sign_bit() if ahead == 0 else x.bits() & 0
    quadrant = quadrant + ahead
    square = r * r
    sine = polynomial(square, SINE_TERMS) * (square * r) + r
    cosine = polynomial(square, COSINE_TERMS) * (square * square) + (1.0 - 0.5 * square)
    value = sine.where((quadrant & 1).equals(1), cosine)
    value = (value.bits() ^ sign ^ ((quadrant & 2) << 30)).as_float()
    finite = magnitude.bits().below(INFINITY_BITS)
    return finite.choose(value, value.new(constant(x.kind, math.nan)))


def _reduced(bits: Number) -> tuple[Number, Number]:
    """(quadrant, r): |x| = (quadrant + 4 any) * pi / 2 + r, |r| <= pi / 4, for |x| >= pi / 4."""
    significand = ((bits & 0x7FFFFF) | 0x800000).to_i64(signed=False)
    first, second, third = (w.to_i64(signed=False) for w in _window((bits >> 23) + BIT_OF_EXPONENT))
    # Fixed point: two bits of quadrants before the point, 62 after; what overflows are full turns.
    turns = ((significand * first) << 32) + significand * second + (significand * third).shifted_down(32)
    quadrant = (turns + (1 << 61)).shifted_down(62)
    part = turns - (quadrant << 62)
    # 24 bits, exact as float32, and the signed rest.
    high = (part + (1 << 37)) >> 38
    low = ((part - (high << 38)) >> 7).to_i32().to_float() * 2.0**-55
    high_part = high.to_i32().to_float() * 2.0**-24
    return quadrant.to_i32(), high_part * HALF_PI + (low * HALF_PI + high_part * HALF_PI_REST)


def _window(start: Number) -> list[Number]:
    """96 binary digits of 2 / pi from the digit `start`, as three words."""
    word, shift = start >> 5, start & 31
    at = [word.equals(k) for k in range(1, FIRST_WORDS)]
    words = [_pick(at, [_word(start, TWO_OVER_PI[k + j]) for k in range(FIRST_WORDS)]) for j in range(4)]
    return [_funnel(words[j], words[j + 1], shift) for j in range(3)]


def _pick(at: list[Number], choices: list[Number]) -> Number:
    """choices[0], or choices[k + 1] where at[k] holds."""
    chosen = choices[0]
    for test, choice in zip(at, choices[1:], strict=True):
        chosen = chosen.where(test, choice)
    return chosen


def _word(like: Number, digits: int) -> Number:
    signed = digits - (1 << 32) if digits >> 31 else digits
    return like.new(constant(like.kind, signed))


def _funnel(high: Number, low: Number, shift: Number) -> Number:
    """The upper word of (high, low) shifted up by 0 to 31 digits."""
    kind = shaped(I32, high.kind)
    name = f"llvm.fshl.{f'v{kind.count}' if isinstance(kind, ir.VectorType) else ''}i32"
    function = high.b.module.globals.get(name)
    if function is None:
        function = ir.Function(high.b.module, ir.FunctionType(kind, [kind] * 3), name)
    return high.new(high.b.call(function, [high.value, low.value, shift.value]))
