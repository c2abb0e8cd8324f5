"""Conversions between arrays, numbers and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.symbolic import product
from kcompile.ir.graph import Value
from kcompile.ir.op import unwrap
from kcompile.ops import create
from kcompile.ops import elementwise as ew


def convert_to_tensor(
    x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None
) -> Any:
    """x as a tensor: an array, or the value that it is in a trace. Python floats take the default float.

    >>> convert_to_tensor([1.5, 2]).dtype
    dtype('float32')
    """
    create.no_sparse("convert_to_tensor", bool(sparse))
    if ragged:
        raise ValueError("convert_to_tensor: ragged=True is not supported; rows of a tensor have one length.")
    x = ew.as_tensor(x)
    return x if dtype is None else ew.cast(x, dtype)


array = convert_to_tensor


def convert_to_numpy(x: Any) -> np.ndarray:
    """x as a NumPy array, a variable's value as a copy; an error in a trace, where there are no numbers."""
    return np.array(x) if hasattr(x, "__kcompile_value__") else np.asarray(unwrap(x))


def is_tensor(x: Any) -> bool:
    """Is x an array, or a value of a trace?"""
    return isinstance(unwrap(x), (np.ndarray, Value))


def dtype(x: Any) -> str:
    """The name of the dtype of x.

    >>> dtype(np.zeros(2, "int32"))
    'int32'
    """
    return dtypes.standardize(ew.as_tensor(x).dtype)


def size(x: Any) -> Any:
    """The number of elements."""
    return product(ew.as_tensor(x).shape)


def ndim(x: Any) -> int:
    """The number of dimensions."""
    return len(ew.as_tensor(x).shape)


def saturate_cast(x: Any, dtype: Any) -> Any:
    """x converted to `dtype`, numbers outside of its range to the nearest in it.

    >>> saturate_cast(np.array([-1.0, 300.0]), "uint8").tolist()
    [0, 255]
    """
    x, name = ew.as_tensor(x), dtypes.standardize(dtype)
    own = ew.common_dtype(x)
    if name == "bool" or own == "bool" or dtypes.promote(own, name) == name:
        return ew.cast(x, name)
    low, high = _range(name)
    limited = ew.minimum(ew.maximum(x, _inside(low, own)), _inside(high, own))
    return ew.cast(limited, name)


def _range(name: str) -> tuple[Any, Any]:
    if dtypes.is_float(name):
        return -dtypes.largest(name), dtypes.largest(name)
    return np.iinfo(name).min, np.iinfo(name).max


def _inside(bound: Any, own: str) -> Any:
    """A bound as a number of dtype `own` that does not lie beyond it."""
    if not dtypes.is_float(own):
        low, high = _range(own)
        return np.asarray(min(max(int(bound), int(low)), int(high)), own)
    near = np.asarray(bound, dtypes.numpy_dtype(own))
    if abs(float(near)) > abs(float(bound)):
        near = np.nextafter(near, near.dtype.type(0))
    return near
