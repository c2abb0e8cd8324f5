"""Class numbers as rows, as in ``keras.utils``."""

from __future__ import annotations

from typing import Any

import numpy as np


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """One-hot rows of class numbers.

    Shapes:  x (...,), or (..., 1) with at least one axis before -> (..., num_classes), float64 as in Keras.
    Args:    x: integers from 0. num_classes: by default, and for 0, the largest number plus one.
    Raises:  IndexError if a number is not from 0 to num_classes - 1; ValueError if x is empty and
             num_classes is not given.

    >>> to_categorical([0, 2], num_classes=3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    labels = np.array(x, dtype=np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if not num_classes:  # 0 counts as left out, as in Keras
        if labels.size == 0:
            raise ValueError("to_categorical: x is empty; give `num_classes`")
        num_classes = int(labels.max()) + 1
    _check_range(labels, num_classes)
    rows = np.zeros((*labels.shape, num_classes))
    np.put_along_axis(rows, labels[..., np.newaxis], 1.0, axis=-1)
    return rows


def _check_range(labels: np.ndarray, num_classes: int) -> None:
    outside = labels[(labels < 0) | (labels >= num_classes)]
    if outside.size:
        raise IndexError(f"to_categorical: class {outside[0]} is not from 0 to {num_classes - 1}")


def normalize(x: Any, axis: int = -1, order: Any = 2) -> Any:
    """x divided by its norm along `axis`; where that is 0, x as it is. An array for an array.

    Args:    order: of the norm, as numpy.linalg.norm takes it.

    >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    if not isinstance(x, np.ndarray):
        from kcompile import ops

        return ops.normalize(x, axis=axis, order=order)
    norm = np.atleast_1d(np.linalg.norm(x, order, axis))
    norm[norm == 0] = 1
    return x / np.expand_dims(norm, axis)
