"""Numbers of categories as one-hot rows, rows of several categories, or counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import ops

MODES = ("one_hot", "multi_hot", "count")


def encoded(indices: Any, mode: str, depth: int, dtype: str, weights: Any = None) -> Any:
    """Categories in another form; those outside [0, depth) are left out.

    Shapes:  "int": as indices. "one_hot": indices (a...) or (a..., 1) -> (a..., depth). "multi_hot" and
             "count": (n,) -> (depth,), (b, n) -> (b, depth), (b, n, a...) -> (b, a..., depth).
    Args:    weights: of each index, for "count"; the result has their dtype.

    >>> encoded(np.array([[0, 2, 2]]), "count", 3, "float32").tolist()
    [[1.0, 0.0, 2.0]]
    """
    if mode == "int":
        return ops.cast(indices, dtype)
    if not indices.shape:
        indices = ops.reshape(indices, (1,))
    if mode == "one_hot":
        if len(indices.shape) > 1 and indices.shape[-1] == 1:
            indices = ops.squeeze(indices, -1)
        return ops.one_hot(indices, depth, dtype=dtype)
    axis = 1 if len(indices.shape) > 1 else 0
    rows = ops.one_hot(indices, depth, dtype=dtype if weights is None else weights.dtype)
    if mode == "multi_hot":
        if rows.shape[axis] == 0:  # of no categories: none occurs
            return ops.sum(rows, axis=axis)
        found = ops.max(rows, axis=axis)
        return found if isinstance(rows.shape[axis], int) else ops.relu(found)
    if weights is not None:
        rows = rows * ops.expand_dims(weights, -1)
    return ops.sum(rows, axis=axis)


def encoded_shape(shape: tuple[int | None, ...], mode: str, depth: int | None) -> tuple[int | None, ...]:
    """The shape of `encoded` for indices of a shape."""
    shape = tuple(shape)
    if mode == "int":
        return shape
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape or (1,)), depth)
    return (shape[0], *shape[2:], depth) if len(shape) > 1 else (depth,)


def counted(rows: list[np.ndarray], depth: int, at_most_one: bool) -> np.ndarray:
    """How often each category occurs in each row, (rows, depth) int64. Rows may differ in length."""
    found = np.zeros((len(rows), depth), "int64")
    for k, row in enumerate(rows):
        found[k] = np.bincount(row[(row >= 0) & (row < depth)], minlength=depth)
    return np.minimum(found, 1) if at_most_one else found


def no_sparse(layer: str, sparse: Any) -> bool:
    """Raise ValueError where sparse outputs are asked for: as Keras does on backends without them."""
    if sparse:
        raise ValueError(f"{layer}: `sparse=True` cannot be used: there are no sparse tensors here.")
    return False
