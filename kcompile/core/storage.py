"""The memory of variables: it never moves, and what is read of it eagerly does not change with it."""

from __future__ import annotations

from typing import Any

import numpy as np

ALIGNMENT = 64


class _Storage(np.ndarray):
    """Bytes that belong to a variable: the base of its array, and so of every view of that."""


def aligned_storage(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialized array for a variable, whose first element lies on a cache line."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = _Storage(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape).view(np.ndarray)


def detached(x: Any) -> Any:
    """`x`, as a copy where its memory is a variable's: assignments to come must not change what was read.

    >>> storage = aligned_storage((2,), "int32")
    >>> storage[:] = 1; read = detached(storage[::-1]); storage[:] = 2
    >>> read.tolist()
    [1, 1]
    """
    kind = type(x)
    if kind is np.ndarray:
        return x.copy() if _is_stored(x) else x
    if kind is tuple or kind is list:
        return kind(map(detached, x))
    return x


def _is_stored(x: np.ndarray) -> bool:
    base = x.base
    while isinstance(base, np.ndarray):
        if type(base) is _Storage:
            return True
        base = base.base
    return False
