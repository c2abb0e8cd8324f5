"""Losses between distributions: cross-entropies, divergence, Poisson."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import config
from kcompile.core.errors import BroadcastError
from kcompile.losses.loss import LossFunctionWrapper, fitting, pair, tensor
from kcompile.trace.masks import set_mask


def _check_axis(axis: Any) -> None:
    if isinstance(axis, bool):
        raise ValueError(f"`axis` must be of type `int`. Received: axis={axis} of type {type(axis)}")


def smooth(y_true: Any, label_smoothing: float) -> Any:
    """One-hot labels with a share of `label_smoothing` spread evenly over the classes (the last axis)."""
    if not label_smoothing or y_true.shape[-1] == 0:
        return y_true
    return y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[-1]


def smooth_binary(y_true: Any, label_smoothing: float) -> Any:
    """Labels 0 and 1 drawn towards 1/2."""
    return y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """-sum(y_true log(y_pred)) over the classes on `axis`: (n, c) one-hot -> (n,).

    Args:    from_logits: y_pred are scores before softmax; else probabilities, which are normalized first.

    >>> import numpy as np
    >>> categorical_crossentropy(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])).round(4).tolist()
    [0.6931]
    """
    _check_axis(axis)
    y_true, y_pred = pair(y_true, y_pred)
    target = smooth(y_true, label_smoothing)
    return ops.categorical_crossentropy(target, y_pred, from_logits=from_logits, axis=axis)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """-log(y_pred[class]) for class numbers: y_true (n,) or (n, 1), y_pred (n, c) -> (n,).

    Args:    ignore_class: samples of this class have loss 0 and are masked: a mean leaves them out.
    """
    y_true, y_pred = tensor(y_true), tensor(y_pred)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[axis] == 1:
        y_true = ops.squeeze(y_true, axis=axis)
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    if len(y_true.shape) >= len(y_pred.shape):
        raise BroadcastError(
            "sparse_categorical_crossentropy: `y_pred` must have an axis of classes more than `y_true`. "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    valid = ops.not_equal(y_true, ignore_class)
    y_true = ops.where(valid, y_true, 0)
    y_pred = ops.where(ops.expand_dims(valid, axis), y_pred, 0)
    values = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    return set_mask(ops.where(valid, values, 0.0), valid)


def _classes(
    y_pred_shape: tuple[Any, ...], from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> int | None:
    """How many classes labels may name; None where no check is possible."""
    count = y_pred_shape[axis] if y_pred_shape else None
    return count if isinstance(count, int) and ignore_class is None else None


sparse_categorical_crossentropy.classes = _classes  # type: ignore[attr-defined]


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """Mean over `axis` of -(y_true log(y_pred) + (1 - y_true) log(1 - y_pred)).

    Args:    from_logits: y_pred are scores before the sigmoid; else probabilities.
    """
    y_true, y_pred = pair(y_true, y_pred)
    target = smooth_binary(y_true, label_smoothing)
    return ops.mean(ops.binary_crossentropy(target, y_pred, from_logits=from_logits), axis=axis)


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """sum(y_true log(y_true / y_pred)) over the last axis, both clipped to [epsilon, 1]."""
    y_true, y_pred = (ops.clip(y, config.epsilon(), 1) for y in fitting(*pair(y_true, y_pred)))
    return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """mean(y_pred - y_true log(y_pred + epsilon)) over the last axis."""
    y_true, y_pred = fitting(*pair(y_true, y_pred))
    return ops.mean(y_pred - y_true * ops.log(y_pred + config.epsilon()), axis=-1)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """(1 - p^q) / q, where p is the probability of the class: y_true (n,), y_pred (n, c) -> (n,).

    Source:  Zhang and Sabuncu 2018: between cross-entropy (q to 0) and absolute error (q = 1).
    """
    y_pred = tensor(y_pred)
    wanted = ops.one_hot(tensor(y_true, "int32"), y_pred.shape[-1], dtype=str(y_pred.dtype))
    wanted, y_pred = fitting(wanted, y_pred)
    return (1 - ops.power(ops.sum(y_pred * wanted, axis=-1), q)) / q


class CategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy of one-hot labels and class probabilities (or logits)."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ):
        settings = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_crossentropy, reduction, name, dtype, **settings)


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy of class numbers and class probabilities (or logits)."""

    optional = {"axis": -1}

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        settings = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype, **settings)


class BinaryCrossentropy(LossFunctionWrapper):
    """Cross-entropy of labels 0 or 1 and probabilities (or logits)."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ):
        settings = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(binary_crossentropy, reduction, name, dtype, **settings)


class KLDivergence(LossFunctionWrapper):
    """sum(y_true log(y_true / y_pred))."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "kl_divergence", dtype: Any = None
    ):
        super().__init__(kl_divergence, reduction, name, dtype)


class Poisson(LossFunctionWrapper):
    """mean(y_pred - y_true log(y_pred))."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "poisson", dtype: Any = None
    ):
        super().__init__(poisson, reduction, name, dtype)


class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """(1 - p^q) / q for class numbers and class probabilities: mistakes in the labels weigh less.

    Raises:  ValueError unless 0 < q < 1.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        if not 0 < q < 1:
            raise ValueError(f"q must be in the interval (0, 1). Received: q={q}")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
