"""Philox 2x32-10 for CUDA kernels, bit for bit what the CPU's kernels and the NumPy reference draw.

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

from typing import Any

from kcompile.kernels.math.cuda_primitives import f32, u32, u64


def philox2x32(counter_lo: Any, counter_hi: Any, key: Any) -> Any:
    """The first random word, uint32, of a counter under a key; all are taken modulo 2**32."""
    x, y, k = u32(counter_lo), u32(counter_hi), u32(key)
    for _ in range(10):
        product = u64(x) * u64(0xD256D193)
        x = u32(u32(product >> u64(32)) ^ k ^ y)
        y = u32(product)
        k = u32(k + u32(0x9E3779B9))
    return x


def uniform_f32(counter_lo: Any, counter_hi: Any, key: Any) -> Any:
    """A float32 in [0, 1): the upper 24 bits of the word, times 2 ** -24."""
    return f32(philox2x32(counter_lo, counter_hi, key) >> u32(8)) * f32(5.9604644775390625e-08)


__all__ = ["philox2x32", "uniform_f32"]
