"""Masks that travel with tensors: which steps of a sequence, or which values, count."""

from __future__ import annotations

import weakref
from typing import Any

# By identity, because NumPy arrays are unhashable; an entry goes when its tensor goes.
_masks: dict[int, tuple[weakref.ref[Any], Any]] = {}


def set_mask(tensor: Any, mask: Any) -> Any:
    """Give a tensor (a placeholder, a traced value or an array) its mask, or take it away by None; returns
    the tensor.

    >>> import numpy as np
    >>> x = set_mask(np.ones((2, 3)), np.array([[True, True, False]] * 2))
    >>> mask_of(x).sum().item(), mask_of(np.ones(3))
    (4, None)
    """
    key = id(tensor)
    if mask is None:
        _masks.pop(key, None)
        if getattr(tensor, "_keras_mask", None) is not None:
            tensor._keras_mask = None
        return tensor
    _masks[key] = (weakref.ref(tensor, lambda _: _masks.pop(key, None)), mask)
    return tensor


def mask_of(tensor: Any) -> Any:
    """A tensor's mask, or None."""
    own = getattr(tensor, "_keras_mask", None)
    if own is not None:
        return own
    found = _masks.get(id(tensor))
    return found[1] if found is not None and found[0]() is tensor else None
