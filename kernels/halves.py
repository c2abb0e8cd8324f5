"""Floats of two bytes to and from float32, as LLVM IR without branches: loops around them vectorize.

What an element is in memory: the bits of a float16 or bfloat16 in an i16. Rounding is to nearest, ties to
even; subnormal numbers are kept; a NaN stays one.
"""

from __future__ import annotations

from llvmlite import ir

I16, I32, HALF, FLOAT = ir.IntType(16), ir.IntType(32), ir.HalfType(), ir.FloatType()
SMALLEST_NORMAL = 0x38800000  # 2**-14 as float32
OVERFLOW = 0x47800000  # 2**16: the first power of two that float16 has not
REBIAS = (127 - 15) << 23


def widen(b: ir.IRBuilder, kind: str, bits: ir.Value, converts: bool) -> ir.Value:
    """The float32 of "f16" or "bf16" bits. converts: the CPU has instructions for float16."""
    if kind == "bf16":
        return b.bitcast(b.shl(b.zext(bits, I32), I32(16)), FLOAT)
    return b.fpext(b.bitcast(bits, HALF), FLOAT) if converts else _widen_float16(b, bits)


def narrow(b: ir.IRBuilder, kind: str, value: ir.Value, converts: bool) -> ir.Value:
    """The bits of a float32 as "f16" or "bf16"."""
    if kind == "bf16":
        return _narrow_bfloat16(b, value)
    return b.bitcast(b.fptrunc(value, HALF), I16) if converts else _narrow_float16(b, value)


def _narrow_bfloat16(b: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """The upper 16 bits, rounded; a NaN keeps its sign and becomes quiet."""
    bits = b.bitcast(value, I32)
    odd = b.and_(b.lshr(bits, I32(16)), I32(1))
    rounded = b.add(bits, b.add(odd, I32(0x7FFF)))
    # The test is on bits, not `fcmp uno`, so that no floating-point flag can fold it away.
    is_nan = b.icmp_unsigned(">", b.and_(bits, I32(0x7FFFFFFF)), I32(0x7F800000))
    chosen = b.select(is_nan, b.or_(bits, I32(0x00400000)), rounded)
    return b.trunc(b.lshr(chosen, I32(16)), I16)


def _widen_float16(b: ir.IRBuilder, bits: ir.Value) -> ir.Value:
    word = b.zext(bits, I32)
    sign = b.shl(b.and_(word, I32(0x8000)), I32(16))
    size = b.and_(word, I32(0x7FFF))
    normal = b.add(b.shl(size, I32(13)), I32(REBIAS))
    special = b.add(normal, I32((128 - 16) << 23))
    # A subnormal float16 is a multiple of 2**-24: exact in float32.
    tiny = b.bitcast(b.fmul(b.uitofp(size, FLOAT), FLOAT(2.0**-24)), I32)
    wide = b.select(b.icmp_unsigned(">=", size, I32(0x7C00)), special, normal)
    wide = b.select(b.icmp_unsigned("<", size, I32(0x0400)), tiny, wide)
    return b.bitcast(b.or_(wide, sign), FLOAT)


def _narrow_float16(b: ir.IRBuilder, value: ir.Value) -> ir.Value:
    bits = b.bitcast(value, I32)
    sign = b.and_(b.lshr(bits, I32(16)), I32(0x8000))
    size = b.and_(bits, I32(0x7FFFFFFF))
    odd = b.and_(b.lshr(size, I32(13)), I32(1))
    normal = b.lshr(b.add(b.sub(size, I32(REBIAS)), b.add(odd, I32(0xFFF))), I32(13))
    # 0.5 has its last place where the smallest float16 is: the sum rounds as float16 does, in its last bits.
    half = b.bitcast(FLOAT(0.5), I32)
    tiny = b.sub(b.bitcast(b.fadd(b.bitcast(size, FLOAT), FLOAT(0.5)), I32), half)
    is_nan = b.icmp_unsigned(">", size, I32(0x7F800000))
    special = b.select(is_nan, I32(0x7E00), I32(0x7C00))
    chosen = b.select(b.icmp_unsigned("<", size, I32(SMALLEST_NORMAL)), tiny, normal)
    chosen = b.select(b.icmp_unsigned(">=", size, I32(OVERFLOW)), special, chosen)
    return b.trunc(b.or_(chosen, sign), I16)
