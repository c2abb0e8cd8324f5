"""Two ints of four bits in one byte."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import dtypes


def _check_dtype(dtype: str) -> None:
    if dtype not in ("int8", "uint8"):
        raise ValueError(f"Expected dtype to be 'int8' or 'uint8', but got '{dtype}'.")


def pack_int4(arr: Any, axis: int = 0, dtype: str = "int8") -> tuple[Any, tuple[int, ...], int]:
    """Pairs of neighbours along an axis in one byte each: the first in the low half, the second in the high.

    Args:    arr: int8 (or uint8, as `dtype` says) numbers of four bits; an odd length gets a zero more.
    Returns: (packed, its shape, the length of the axis before).
    Raises:  ValueError for other dtypes, TypeError where `arr` has another one than `dtype`.

    >>> packed, shape, length = pack_int4(np.array([[-3, 7], [2, -8], [1, 0]], "int8"))
    >>> packed.tolist(), shape, length
    ([[45, -121], [1, 0]], (2, 2), 3)
    """
    _check_dtype(dtype)
    found = dtypes.standardize(arr.dtype)
    if found != dtype:
        raise TypeError(f"Expected {dtype} tensor for packing, got {found}.")
    rows = np.moveaxis(np.asarray(arr), axis, 0)
    length = rows.shape[0]
    if length % 2:
        rows = np.concatenate([rows, np.zeros_like(rows[:1])])
    halves = (
        rows.view("uint8") & 15 if rows.flags.c_contiguous else np.ascontiguousarray(rows).view("uint8") & 15
    )
    packed = np.moveaxis((halves[::2] | halves[1::2] << 4).astype("uint8").view(dtype), 0, axis)
    return np.ascontiguousarray(packed), packed.shape, length


def unpack_int4(packed: Any, orig_len: int, axis: int = 0, dtype: str = "int8") -> Any:
    """What `pack_int4` packed along an axis of `orig_len` elements: in [-8, 7], or [0, 15] with "uint8".

    >>> packed, _, length = pack_int4(np.array([-3, 7, 2], "int8"))
    >>> unpack_int4(packed, length).tolist()
    [-3, 7, 2]
    """
    _check_dtype(dtype)
    if dtypes.standardize(packed.dtype) not in ("int8", "uint8"):
        raise TypeError(f"Expected int8 or uint8 tensor for unpacking, got {packed.dtype}")
    packed = ops.convert_to_tensor(packed)
    axis %= len(packed.shape)
    low, high = ops.bitwise_and(packed, 15), ops.bitwise_and(ops.right_shift(packed, 4), 15)
    pairs = ops.stack([_signed(x) if dtype == "int8" else x for x in (low, high)], axis=axis + 1)
    shape = list(packed.shape)
    shape[axis] *= 2
    joined = ops.cast(ops.reshape(pairs, shape), dtype)
    return joined if orig_len == shape[axis] else ops.take(joined, np.arange(orig_len), axis=axis)


def _signed(x: Any) -> Any:
    """0..15 -> 0..7, -8..-1: bit 3 is the sign."""
    return ops.bitwise_xor(x, 8) - 8
