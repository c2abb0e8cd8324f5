"""Reductions that leave NaN out."""

from __future__ import annotations

import math
from typing import Any

from kcompile.core import dtypes
from kcompile.ops import cumulative, reduce
from kcompile.ops import elementwise as ew


def _filled(x: Any, value: Any) -> Any:
    x = ew.as_tensor(x)
    return ew.where(ew.isnan(x), value, x) if dtypes.is_float(ew.common_dtype(x)) else x


def _present(x: Any, axis: Any, keepdims: bool) -> Any:
    """How many elements are not NaN."""
    return reduce.sum(
        ew.cast(ew.logical_not(ew.isnan(ew.as_tensor(x))), "int32"), axis=axis, keepdims=keepdims
    )


COUNTED = {"float32": 2**24, "float64": 2**53}  # up to which numbers floats count exactly


def _count(op: str, x: Any, axis: Any, keepdims: bool) -> Any:
    """As `_present`, in the dtype of x. op: whose axis it is."""
    dtype = dtypes.standardize(x.dtype)
    most = math.prod(x.shape[a] for a in reduce.normalize_axes(op, axis, len(x.shape)))
    if isinstance(most, int) and dtype in COUNTED and most <= COUNTED[dtype]:
        none, one = (ew.as_tensor(n, dtype) for n in (0, 1))
        return reduce.sum(ew.where(ew.isnan(x), none, one), axis=axis, keepdims=keepdims)
    return ew.cast(_present(x, axis, keepdims), dtype)


def nansum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum of what is not NaN.

    >>> nansum([1.0, float("nan"), 2.0]).item()
    3.0
    """
    return reduce.sum(_filled(x, 0), axis=axis, keepdims=keepdims)


def nanprod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Product of what is not NaN."""
    return reduce.prod(_filled(x, 1), axis=axis, keepdims=keepdims)


def _extreme(x: Any, fill: float, find: Any, axis: Any, keepdims: bool) -> Any:
    x = ew.as_tensor(x)
    y = find(_filled(x, fill), axis=axis, keepdims=keepdims)
    if not dtypes.is_float(ew.common_dtype(x)):
        return y
    return ew.where(ew.equal(_present(x, axis, keepdims), 0), math.nan, y)


def nanmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest element that is not NaN; NaN if there is none."""
    return _extreme(x, -math.inf, reduce.max, axis, keepdims)


def nanmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Smallest element that is not NaN; NaN if there is none."""
    return _extreme(x, math.inf, reduce.min, axis, keepdims)


def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Mean of what is not NaN."""
    x = ew.as_tensor(x)
    x = ew.as_tensor(x, ew.float_of(ew.common_dtype(x)))
    count = _count("nanmean", x, axis, keepdims)
    return ew.true_divide(nansum(x, axis, keepdims), count)


def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Population variance of what is not NaN."""
    x = ew.as_tensor(x)
    x = ew.as_tensor(x, ew.float_of(ew.common_dtype(x)))
    count = _count("nanvar", x, axis, keepdims)
    apart = ew.where(ew.isnan(x), 0, ew.subtract(x, nanmean(x, axis, True)))
    return ew.true_divide(reduce.sum(ew.square(apart), axis, keepdims), count)


def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Population standard deviation of what is not NaN."""
    return ew.sqrt(nanvar(x, axis, keepdims))


def _position(x: Any, fill: float, find: Any, axis: Any, keepdims: bool) -> Any:
    x = ew.as_tensor(x)
    at = find(_filled(x, fill), axis=axis, keepdims=keepdims)
    if not dtypes.is_float(ew.common_dtype(x)):
        return at
    return ew.where(ew.equal(_present(x, axis, keepdims), 0), -1, at)


def nanargmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Position (int32) of the largest element that is not NaN; -1 if there is none."""
    return _position(x, -math.inf, reduce.argmax, axis, keepdims)


def nanargmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Position (int32) of the smallest element that is not NaN; -1 if there is none."""
    return _position(x, math.inf, reduce.argmin, axis, keepdims)


def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Running sums that count NaN as 0."""
    return cumulative.cumsum(_filled(x, 0), axis, dtype)


def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Running products that count NaN as 1."""
    return cumulative.cumprod(_filled(x, 1), axis, dtype)
