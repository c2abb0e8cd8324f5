"""Text on the host: arrays of str, bytes or objects as lists of bytes, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import DTypeError, message


def as_text(x: Any, layer: str) -> np.ndarray:
    """Anything that holds text as an array of objects, all of them bytes (UTF-8).

    Raises:  DTypeError for numbers, and for objects that are neither str nor bytes.

    >>> as_text(["a", "é"], "lookup").tolist()
    [b'a', b'\\xc3\\xa9']
    """
    array = x if isinstance(x, np.ndarray) else np.asarray(x, dtype=object)
    if not dtypes.is_text(array):
        raise DTypeError(message(f"Layer '{layer}' takes text.", received=f"an array of {array.dtype}"))
    out = np.empty(array.shape, object)
    out.reshape(-1)[:] = [_bytes_of(item, layer) for item in array.ravel().tolist()]
    return out


def _bytes_of(item: Any, layer: str) -> bytes:
    if type(item) is bytes:
        return item
    if isinstance(item, str):
        return item.encode("utf-8")
    if isinstance(item, bytes):
        return bytes(item)
    raise DTypeError(
        message(f"Layer '{layer}' takes text.", received=f"{item!r} of type {type(item).__name__}")
    )


def from_bytes(items: list[bytes], shape: tuple[int, ...]) -> np.ndarray:
    """An array of objects."""
    out = np.empty(len(items), object)
    out[:] = items
    return out.reshape(shape)
