"""Philox 2x32-10, the counter-based random generator, and uniform numbers of it, as LLVM IR.

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.math.number import Number

MULTIPLIER = 0xD256D193
WEYL = 0x9E3779B9
ROUNDS = 10


def philox2x32(b: ir.IRBuilder, low: ir.Value, high: ir.Value, key: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The two random words of the counter (low, high) under a key; all are i32."""
    x, y, k = Number(b, low), Number(b, high), Number(b, key)
    for _ in range(ROUNDS):
        upper, lower = mulhi_mullo(x, MULTIPLIER)
        x, y, k = upper ^ k ^ y, lower, k + _signed(WEYL)
    return x.value, y.value


def mulhi_mullo(x: Number, factor: int) -> tuple[Number, Number]:
    """Upper and lower word of the unsigned 64-bit product of an i32 and a constant.

    The lower word is a product of its own: LLVM then sees that of the long product only the upper half is
    wanted, and multiplies 32-bit lanes (twice the speed).
    """
    product = x.to_i64(signed=False) * factor
    return product.shifted_down(32).to_i32(), x * _signed(factor)


def uniform(b: ir.IRBuilder, word: ir.Value) -> ir.Value:
    """A float32 in [0, 1) from the upper 24 bits of a random word."""
    return (Number(b, word).shifted_down(8).to_float() * 2.0**-24).value


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word
