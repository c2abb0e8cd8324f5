"""The operations that CUDA kernels find ready-made, as NumPy computes them: for emulated devices.

They also say what each one means. A compiler for a real device puts instructions or library functions in
their place, by name. float32 arguments give float32 results everywhere.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

exp, log, log1p, expm1, tanh = np.exp, np.log, np.log1p, np.expm1, np.tanh
sin, cos, arctan2, pow, sqrt = np.sin, np.cos, np.arctan2, np.power, np.sqrt
floor, ceil, round = np.floor, np.ceil, np.rint
i8, i16, i32, i64 = np.int8, np.int16, np.int32, np.int64
u8, u16, u32, u64 = np.uint8, np.uint16, np.uint32, np.uint64
f16, f32, f64 = np.float16, np.float32, np.float64


def at(index: Any) -> Any:
    """A position in memory: unsigned, so that a compiler need not ask whether it counts from the end."""
    return np.uint64(index) if np.ndim(index) == 0 else index.astype(np.uint64)


def index_div(a: Any, b: Any) -> Any:
    """a // b of numbers in [0, 2**31): a 32-bit division on a device."""
    return a // b


def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once (float64: twice)."""
    if np.result_type(a, b, c) == np.float64:
        return a * b + c
    return (np.multiply(a, b, dtype=np.float64) + c).astype(np.float32)


def bits_f32(word: Any) -> Any:
    """The float32 that the bits of a uint32 stand for."""
    return word.view(np.float32)


def f32_bits(x: Any) -> Any:
    """The bits of a float32 as uint32."""
    return x.view(np.uint32)


def bits_f64(word: Any) -> Any:
    """The float64 that the bits of a uint64 stand for."""
    return word.view(np.float64)


def f64_bits(x: Any) -> Any:
    """The bits of a float64 as uint64."""
    return x.view(np.uint64)


def erf(x: Any) -> Any:
    return _elementwise(math.erf, x)


def erfc(x: Any) -> Any:
    return _elementwise(math.erfc, x)


def _elementwise(function: Any, x: Any) -> Any:
    return np.vectorize(function, otypes=[np.float64])(x).astype(x.dtype)


__all__ = [
    "arctan2", "at", "bits_f32", "bits_f64", "ceil", "cos", "erf", "erfc", "exp", "expm1", "f16",
    "f32", "f32_bits", "f64", "f64_bits",
    "floor", "fma", "i8", "i16", "i32", "i64", "index_div", "log", "log1p", "pow", "round",
    "sin", "sqrt", "tanh",
    "u8", "u16", "u32", "u64",
]  # fmt: skip
