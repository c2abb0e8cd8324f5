"""How often predictions are right."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import config
from kcompile.core.symbolic import product
from kcompile.losses.loss import squeeze_or_expand_to_same_rank
from kcompile.metrics.reduction import MeanMetricWrapper
from kcompile.ops import elementwise as ew


def _matches(a: Any, b: Any) -> Any:
    return ops.cast(ops.equal(a, b), config.floatx())


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where y_true equals y_pred, else 0."""
    y_pred = ew.as_tensor(y_pred)
    y_true = ew.as_tensor(y_true, str(y_pred.dtype))
    return _matches(*squeeze_or_expand_to_same_rank(y_true, y_pred))


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where y_true equals (y_pred > threshold), else 0."""
    y_true, y_pred = squeeze_or_expand_to_same_rank(ew.as_tensor(y_true), ew.as_tensor(y_pred))
    return _matches(y_true, ops.cast(ops.greater(y_pred, threshold), str(y_true.dtype)))


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest of y_pred is the class of one-hot y_true, over the last axis.

    >>> import numpy as np
    >>> categorical_accuracy(np.array([[0, 1], [1, 0]]), np.array([[0.1, 0.9], [0.2, 0.8]])).tolist()
    [1.0, 0.0]
    """
    return _matches(ops.argmax(ew.as_tensor(y_true), axis=-1), ops.argmax(ew.as_tensor(y_pred), axis=-1))


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest of y_pred (n, c) is the class number y_true (n,) or (n, 1).

    >>> import numpy as np
    >>> sparse_categorical_accuracy(np.array([1, 0]), np.array([[0.1, 0.9], [0.2, 0.8]])).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = ew.as_tensor(y_true), ew.as_tensor(y_pred)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, -1)
    return _matches(y_true, ops.argmax(y_pred, axis=-1))


def _in_top_k(classes: Any, y_pred: Any, k: int) -> Any:
    """Do at most k - 1 classes score more than the right one?"""
    at_class = ops.take_along_axis(y_pred, ops.expand_dims(classes, -1), axis=-1)
    at_class = ops.where(ops.isnan(at_class), -float("inf"), at_class)
    above = ops.sum(ops.cast(ops.greater(y_pred, at_class), "int32"), axis=-1)
    return ops.cast(ops.less(above, k), config.floatx())


def _top_k(classes: Any, y_pred: Any, k: int) -> Any:
    shape = tuple(classes.shape)
    rows = ops.reshape(y_pred, (-1, y_pred.shape[-1])) if len(y_pred.shape) > 2 else y_pred
    flat = ops.reshape(classes, (product(shape),)) if len(shape) > 1 else classes
    return ops.reshape(_in_top_k(ops.cast(flat, "int32"), rows, k), shape)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the class of one-hot y_true is among the k largest of y_pred."""
    return _top_k(ops.argmax(ew.as_tensor(y_true), axis=-1), ew.as_tensor(y_pred), k)


def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> Any:
    """1 where the class number y_true is among the k largest of y_pred, in the shape of y_true.

    Args:    from_sorted_ids: y_pred holds class numbers, best first, instead of scores.
    """
    y_true, y_pred = ew.as_tensor(y_true), ew.as_tensor(y_pred)
    if len(y_true.shape) == len(y_pred.shape) > 0 and y_true.shape[-1] == 1:
        found = sparse_top_k_categorical_accuracy(ops.squeeze(y_true, -1), y_pred, k, from_sorted_ids)
        return ops.expand_dims(found, -1)  # in the shape of y_true
    if not from_sorted_ids:
        return _top_k(y_true, y_pred, k)
    hits = ops.equal(ops.expand_dims(ops.cast(y_true, str(y_pred.dtype)), -1), y_pred[..., :k])
    return ops.cast(ops.any(hits, axis=-1), config.floatx())


class Accuracy(MeanMetricWrapper):
    """How often y_true equals y_pred."""

    _direction = "up"

    def __init__(self, name: str | None = "accuracy", dtype: Any = None):
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often y_true equals (y_pred > threshold)."""

    _direction = "up"

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the most likely class is that of one-hot labels."""

    _direction = "up"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None):
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the most likely class is the label, a class number."""

    _direction = "up"

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class of one-hot labels is among the k most likely."""

    _direction = "up"

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the label, a class number, is among the k most likely."""

    _direction = "up"
    optional = {"from_sorted_ids": False}

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ):
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
