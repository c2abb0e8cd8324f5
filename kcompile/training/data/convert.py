"""Tensors of other libraries, tables and sparse matrices as NumPy arrays that programs can read."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import message


def is_array_like(x: Any) -> bool:
    """Has it rows that can be picked: an array, a tensor, a table? Python numbers and lists have not."""
    if isinstance(x, np.generic):
        return False
    return isinstance(x, np.ndarray) or hasattr(x, "__array__") or hasattr(x, "toarray")


def as_array(x: Any, what: str, text: bool = False) -> np.ndarray:
    """A contiguous array of a dtype that kernels know; numbers keep their dtype, a column of a table is (n,
    1).

    what: the argument's name, for errors. text: whether text may be among the data.
    Raises:  ValueError for dtypes without numbers, such as strings and objects, and for 0-d data.
    """
    array = np.asarray(_dense(x))
    if array.ndim == 0:
        raise ValueError(
            message(f"`{what}` must have a first dimension, the samples.", received=f"{array!r}")
        )
    if array.ndim == 1 and hasattr(x, "to_frame"):  # a pandas Series
        array = array[:, None]
    if text and dtypes.is_text(array):
        return array
    try:
        dtypes.standardize(array.dtype)
    except ValueError:
        hint = "convert it to numbers, with np.asarray(..., dtype=...) for example"
        raise ValueError(message(f"Invalid dtype of `{what}`: {array.dtype}.", hint=hint)) from None
    return np.ascontiguousarray(array)


def _dense(x: Any) -> Any:
    if hasattr(x, "detach"):  # torch: a tensor may require gradients or lie on another device
        return x.detach().cpu().numpy()
    if hasattr(x, "toarray"):  # scipy's sparse matrices
        return x.toarray()
    return x
