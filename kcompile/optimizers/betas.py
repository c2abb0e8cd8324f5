"""Numbers that follow from the decay rates of moving averages, also where a dtype takes a rate for 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import dtypes
from kcompile.ops import elementwise as ew


def scalar(number: float, dtype: str) -> Any:
    """A number as a 0-d tensor."""
    return ew.as_tensor(number, dtype)


def bias_left(beta: float, iterations: Any, dtype: str) -> Any:
    """1 - beta^t at update t = iterations + 1, in `dtype`: what a moving average of ones from 0 has reached.

    In float32 where `dtype` takes beta for 1 (0.999 in bfloat16): nothing would be left to divide by.

    >>> float(bias_left(0.5, 1, "float32")), float(bias_left(0.999, 0, "bfloat16")) > 0
    (0.75, True)
    """
    wide = dtype if _complement(beta, dtype) != 0 else "float32"
    step = ops.cast(iterations + 1, wide)
    return ops.cast(1 - ops.power(scalar(beta, wide), step), dtype)


def complement(beta: float, dtype: str) -> float:
    """1 - beta as `dtype` computes it, so that it fits `bias_left`; exact where that would be 0.

    >>> complement(0.5, "float16"), round(complement(0.999, "bfloat16"), 6)
    (0.5, 0.001)
    """
    return _complement(beta, dtype) or 1 - beta


def _complement(beta: float, dtype: str) -> float:
    kind = dtypes.numpy_dtype(dtype)
    return float(np.subtract(np.asarray(1.0, kind), np.asarray(beta, kind)))
