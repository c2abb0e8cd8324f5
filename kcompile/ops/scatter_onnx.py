"""Sums of scattered numbers in the opsets whose scattering operators only replace."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile.core.symbolic import Int

SUMS = 16  # the first opset in which ScatterND and ScatterElements add


def sums_of_rows(g: Any, indices: str, updates: str, rows: int | Int) -> str:
    """Row r is the sum of the updates with index r: a matrix of ones at these places, times the updates.

    An infinite update makes NaNs of the other rows, because 0 times infinity is none.
    """
    dtype, (count, *rest) = g.dtype(updates), g.shape(updates)
    ones = g.cast(_one_hot(g, indices, rows, 0), dtype)
    if len(rest) < 2:
        return str(g.node("MatMul", ones, updates))
    made = g.node("MatMul", ones, g.reshape(updates, (count, math.prod(rest))))
    return str(g.reshape(made, (rows, *rest)))


def sums_along(g: Any, indices: str, updates: str, axis: int, extent: int | Int) -> str:
    """As `sums_of_rows`, along one axis of tensors of the same shape."""
    at = g.cast(_one_hot(g, indices, extent, axis), "bool")
    one_more = g.node("Unsqueeze", updates, g.constant(np.array([axis])))
    chosen = g.node("Where", at, one_more, g.constant(np.zeros((), g.dtype(updates))))
    return str(g.reduce("ReduceSum", chosen, (axis + 1,), keepdims=False))


def _one_hot(g: Any, indices: str, extent: int | Int, axis: int) -> str:
    """float32 ones at the indices, along a new axis; negative ones count from the end, others give zeros."""
    values = g.constant(np.array([0, 1], np.float32))
    return str(g.node("OneHot", g.cast(indices, "int64"), g.dims((extent,)), values, axis=axis))
