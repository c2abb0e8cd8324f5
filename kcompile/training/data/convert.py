"""Tensors of other libraries, tables and sparse matrices as NumPy arrays that programs can read."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import config, dtypes
from kcompile.core.errors import message
from kcompile.training.data.rows import Rows, is_stored, rows_of

# Ways of other libraries to say: this is an array. Sparse ones: SciPy, JAX, TensorFlow (ragged), TensorFlow.
DENSE = ("toarray", "todense", "to_tensor")
MARKS = ("__array__", *DENSE, "dense_shape")


def is_array_like(x: Any) -> bool:
    """Has it rows that can be picked: an array, a tensor, a table? Python numbers and lists have not."""
    if isinstance(x, np.generic):
        return False
    return isinstance(x, (np.ndarray, Rows)) or any(hasattr(x, mark) for mark in MARKS)


def as_array(x: Any, what: str, text: bool = False) -> np.ndarray:
    """A contiguous array of a dtype that kernels know; numbers keep their dtype, a column of a table is (n,
    1).

    what: the argument's name, for errors. text: whether text may be among the data.
    Raises:  ValueError for dtypes without numbers, such as strings and objects, and for 0-d data.
    """
    array = np.asarray(_dense(x, what, text))
    if array.ndim == 0:
        raise ValueError(
            message(f"`{what}` must have a first dimension, the samples.", received=f"{array!r}")
        )
    if array.ndim == 1 and hasattr(x, "to_frame"):  # a Series of pandas or Polars
        array = array[:, None]
    if text and dtypes.is_text(array):
        return array
    return np.ascontiguousarray(_checked(array, what))


def as_rows(x: Any, what: str, text: bool = False) -> np.ndarray | Rows:
    """As `as_array`, but an array that is too large to be read at once stays where it is."""
    if isinstance(x, Rows):
        return x
    if not is_stored(x):
        return as_array(x, what, text)
    try:
        return rows_of(x)
    except ValueError as error:
        if text:
            return as_array(x, what, text)
        raise ValueError(f"Invalid dtype of `{what}`: {x.dtype}.") from error


def _checked(array: np.ndarray, what: str) -> np.ndarray:
    try:
        dtypes.standardize(array.dtype)
    except ValueError:
        hint = "convert it to numbers, with np.asarray(..., dtype=...) for example"
        if dtypes.is_text(array) and what == "x":
            hint = "text goes into functional and Sequential models, or through TextVectorization beforehand"
        raise ValueError(message(f"Invalid dtype of `{what}`: {array.dtype}.", hint=hint)) from None
    return array


def _dense(x: Any, what: str, text: bool) -> Any:
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "detach"):  # torch: a tensor may require gradients or lie on another device
        x = x.detach().cpu()
        x = x.to_dense() if getattr(x, "is_sparse", False) else x
        is_bfloat16 = str(getattr(x, "dtype", "")) == "torch.bfloat16"  # which NumPy has not
        return (x.float() if is_bfloat16 else x).numpy()
    for method in DENSE:
        if hasattr(x, method):
            return getattr(x, method)()
    if hasattr(x, "dense_shape"):  # TensorFlow's sparse tensors
        return _scattered(x)
    if hasattr(x, "iloc"):
        return _table(x, what, text)
    return x


def _scattered(x: Any) -> np.ndarray:
    values = np.asarray(x.values)
    array = np.zeros(tuple(int(d) for d in x.dense_shape), values.dtype)
    array[tuple(np.asarray(x.indices).T)] = values
    return array


def _table(x: Any, what: str, text: bool) -> np.ndarray:
    """The numbers of a pandas frame or series; columns of several dtypes in one that holds them all."""
    if not hasattr(x, "columns"):
        return _column(x, what, text)
    if len(x.columns) == 0:
        return np.empty((len(x), 0), config.floatx())
    columns = [_column(x.iloc[:, k], f"{what}[{name!r}]", text) for k, name in enumerate(x.columns)]
    return np.stack(columns, axis=1)  # in their common dtype


def _column(series: Any, what: str, text: bool) -> np.ndarray:
    array = np.asarray(series)
    if array.dtype == object and series.dtype.kind in "biuf":  # nullable numbers; missing ones are NaN
        array = series.to_numpy(dtype=config.floatx(), na_value=np.nan)
    return array if text and dtypes.is_text(array) else _checked(array, what)
