"""Floats of 8 bits: numbers are rounded to them, and stay stored as larger floats."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import dtypes

# bits after the leading one, the least exponent of a normal number, the largest number
FORMATS = {"float8_e4m3fn": (3, -6, 448.0), "float8_e5m2": (2, -14, 57344.0)}


def compute_float8_scale(amax: Any, scale: Any, dtype_max: Any, margin: float = 0) -> Any:
    """The scale for numbers of magnitudes up to `amax`: amax / dtype_max * 2 ** margin.

    Returns: `scale` as it is where amax is 0 or no number.
    Source:  NVIDIA's Transformer Engine, "delayed scaling".

    >>> float(compute_float8_scale(np.float32(896), np.float32(1), 448.0))
    2.0
    """
    kept = ops.reciprocal(scale)
    found = ops.divide(ops.divide(dtype_max, amax), 2**margin)
    found = ops.where(ops.greater(amax, 0.0), found, kept)
    return ops.reciprocal(ops.where(ops.isfinite(amax), found, kept))


def compute_float8_amax_history(x: Any, amax_history: Any) -> Any:
    """The largest magnitudes of late steps with that of x among them, in the place of the oldest.

    >>> compute_float8_amax_history(np.float32([1, -5]), np.float32([7, 8, 9])).tolist()
    [5.0, 9.0, 7.0]
    """
    largest = ops.cast(ops.max(ops.absolute(x)), amax_history.dtype)
    return ops.concatenate([ops.reshape(largest, (1,)), ops.roll(amax_history, shift=-1)[1:]])


def quantize_and_dequantize(inputs: Any, scale: Any, quantized_dtype: Any, compute_dtype: str) -> Any:
    """The numbers that inputs / scale are in an 8 bit float, times scale.

    Args:    quantized_dtype: "float8_e4m3fn" or "float8_e5m2". compute_dtype: of all else.
    Raises:  ValueError for other dtypes.

    >>> quantize_and_dequantize(np.float32([1.06, 500.0]), np.float32(1), "float8_e4m3fn", "float32").tolist()
    [1.0, 448.0]
    """
    name = getattr(quantized_dtype, "name", None) or getattr(quantized_dtype, "__name__", quantized_dtype)
    if name not in FORMATS:
        raise ValueError(f"Received quantized_dtype={quantized_dtype}. Expected one of {', '.join(FORMATS)}.")
    scale = ops.cast(scale, compute_dtype)
    bits, least, most = FORMATS[name]
    x = ops.clip(ops.divide(inputs, scale), -most, most)
    wide = x if dtypes.standardize(x.dtype) == "float64" else ops.cast(x, "float32")
    return ops.cast(_rounded(wide, bits, least), compute_dtype) * scale


def _rounded(x: Any, bits: int, least: int) -> Any:
    """x rounded to `bits` bits after the leading one, to even; below 2 ** least the steps stay the same.

    An exponent that is one too small or too large, because a logarithm was rounded, belongs to a number that
    is rounded to the same power of two with either.
    """
    magnitude = ops.maximum(ops.absolute(x), 2.0**least)
    exponent = ops.cast(ops.floor(ops.log2(magnitude)), "int32") - least
    steps = (2.0 ** np.arange(least - bits, 17 - bits)).astype(str(x.dtype))
    step = ops.take(steps, exponent, axis=0)  # from a table: a computed power need not be exact
    return ops.round(x / step) * step
