"""Arithmetic on 64-bit words, modulo 2**64, for hash functions: of arrays and of traced values alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import ops


def word(value: int) -> np.ndarray:
    """A constant."""
    return np.array(value & 0xFFFFFFFFFFFFFFFF, "uint64")


def xor(a: Any, b: Any) -> Any:
    return ops.bitwise_xor(a, b)


def right(a: Any, bits: Any) -> Any:
    """a >> bits, for 0 <= bits < 64."""
    return ops.right_shift(a, word(bits) if isinstance(bits, int) else bits)


def left(a: Any, bits: Any) -> Any:
    """a << bits, for 0 <= bits < 64."""
    return ops.left_shift(a, word(bits) if isinstance(bits, int) else bits)


def rotated(a: Any, bits: int) -> Any:
    """The bits of `a` moved to the right in a circle, for 0 < bits < 64."""
    return ops.bitwise_or(right(a, bits), left(a, 64 - bits))


def mixed(a: Any) -> Any:
    """a ^ (a >> 47)."""
    return xor(a, right(a, 47))


def remainder(a: Any, divisor: int) -> Any:
    """a % divisor as int64."""
    return ops.cast(ops.mod(a, word(divisor)), "int64")


def where(condition: Any, a: Any, b: Any) -> Any:
    """Words chosen as signed ints, because runtimes of ONNX files choose no unsigned ones."""
    return ops.cast(ops.where(condition, ops.cast(a, "int64"), ops.cast(b, "int64")), "uint64")
