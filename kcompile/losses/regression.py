"""Losses between numbers: squared, absolute, relative, logarithmic, robust, directional."""

from __future__ import annotations

import math
from typing import Any

from kcompile import ops
from kcompile.core import config
from kcompile.losses.loss import LossFunctionWrapper, fitting, pair, squeeze_or_expand_to_same_rank


def fitting_pair(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Both tensors in the prediction's dtype and at one rank.

    Raises:  ValueError where one is None, BroadcastError (a TypeError and a ValueError) where their shapes do
             not fit.
    """
    if y_true is None or y_pred is None:
        raise ValueError(f"Labels and predictions are needed. Received: y_true={y_true}, y_pred={y_pred}")
    return fitting(*squeeze_or_expand_to_same_rank(*pair(y_true, y_pred)))


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """mean((y_true - y_pred)^2) over the last axis: (n, d) -> (n,).

    >>> import numpy as np
    >>> mean_squared_error(np.array([[0.0, 2.0]]), np.array([[1.0, 1.0]])).tolist()
    [1.0]
    """
    y_true, y_pred = fitting_pair(y_true, y_pred)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """mean(|y_true - y_pred|) over the last axis: (n, d) -> (n,)."""
    y_true, y_pred = fitting_pair(y_true, y_pred)
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 mean(|y_true - y_pred| / max(|y_true|, epsilon)) over the last axis."""
    y_true, y_pred = fitting_pair(y_true, y_pred)
    relative = ops.abs((y_true - y_pred) / ops.maximum(ops.abs(y_true), config.epsilon()))
    return 100.0 * ops.mean(relative, axis=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """mean((log(1 + y_true) - log(1 + y_pred))^2) over the last axis, both at least epsilon."""
    y_true, y_pred = fitting_pair(y_true, y_pred)
    logs = [ops.log(ops.maximum(y, config.epsilon()) + 1.0) for y in (y_pred, y_true)]
    return ops.mean(ops.square(logs[0] - logs[1]), axis=-1)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Mean over the last axis of e^2/2 where |e| <= delta, and delta |e| - delta^2/2 beyond."""
    y_true, y_pred = fitting_pair(y_true, y_pred)
    error = y_pred - y_true
    size = ops.abs(error)
    beyond = delta * size - 0.5 * delta * delta
    return ops.mean(ops.where(ops.less_equal(size, delta), 0.5 * ops.square(error), beyond), axis=-1)


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """mean(log(cosh(y_pred - y_true))) over the last axis, as e + softplus(-2 e) - log 2."""
    y_true, y_pred = fitting_pair(y_true, y_pred)
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(error * -2.0) - math.log(2.0), axis=-1)


def unit(x: Any, axis: int) -> Any:
    """x divided by its length along an axis; squares below epsilon^2 count as that."""
    squares = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(squares, config.epsilon() ** 2))


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """-cos of the angle between y_true and y_pred along an axis: -1 is the same direction."""
    y_true, y_pred = fitting_pair(y_true, y_pred)
    return -ops.sum(unit(y_true, axis) * unit(y_pred, axis), axis=axis)


class MeanSquaredError(LossFunctionWrapper):
    """mean((y_true - y_pred)^2)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_squared_error",
        dtype: Any = None,
    ):
        super().__init__(mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """mean(|y_true - y_pred|)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_absolute_error",
        dtype: Any = None,
    ):
        super().__init__(mean_absolute_error, reduction, name, dtype)


class MeanAbsolutePercentageError(LossFunctionWrapper):
    """100 mean(|y_true - y_pred| / |y_true|)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_absolute_percentage_error",
        dtype: Any = None,
    ):
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """mean((log(1 + y_true) - log(1 + y_pred))^2)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ):
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


class Huber(LossFunctionWrapper):
    """Squared up to `delta`, linear beyond."""

    optional = {"delta": 1.0}

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "huber_loss",
        dtype: Any = None,
    ):
        super().__init__(huber, reduction, name, dtype, delta=delta)


class LogCosh(LossFunctionWrapper):
    """mean(log(cosh(y_pred - y_true)))."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "log_cosh", dtype: Any = None
    ):
        super().__init__(log_cosh, reduction, name, dtype)


class CosineSimilarity(LossFunctionWrapper):
    """-cos of the angle between y_true and y_pred along `axis`."""

    optional = {"axis": -1}

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "cosine_similarity",
        dtype: Any = None,
    ):
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)
