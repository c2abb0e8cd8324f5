"""How closely predictions follow the truth: up to scale and offset (Pearson), or as they are."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import config
from kcompile.losses.regression import fitting_pair
from kcompile.metrics.reduction import MeanMetricWrapper


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Covariance over the product of standard deviations, along `axis`; NaN where one of these is 0.

    >>> import numpy as np
    >>> pearson_correlation(np.array([[0.0, 1.0, 2.0]]), np.array([[5.0, 3.0, 1.0]])).tolist()
    [-1.0]
    """
    y_true, y_pred = (_centred(y, axis) for y in fitting_pair(y_true, y_pred))
    deviations = (ops.sqrt(ops.mean(ops.square(y), axis=axis)) for y in (y_true, y_pred))
    first, second = deviations
    return ops.mean(y_true * y_pred, axis=axis) / (first * second)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """2 covariance / (both variances + squared difference of the means), along `axis` (Lin 1989).

    >>> import numpy as np
    >>> concordance_correlation(np.array([[0.0, 1.0, 2.0]]), np.array([[0.0, 1.0, 2.0]])).round(4).tolist()
    [1.0]
    """
    y_true, y_pred = fitting_pair(y_true, y_pred)
    means = [ops.mean(y, axis=axis, keepdims=True) for y in (y_true, y_pred)]
    variances = [ops.mean(ops.square(y - m), axis=axis) for y, m in zip((y_true, y_pred), means, strict=True)]
    # the mean of (y_pred - its mean) is 0, so that any offset of y_true gives the covariance
    covariance = ops.mean((y_true - means[1]) * (y_pred - means[1]), axis=axis)
    apart = ops.squeeze(ops.square(means[0] - means[1]), axis=axis)
    return 2 * covariance / (variances[0] + variances[1] + apart + config.epsilon())


def _centred(y: Any, axis: int) -> Any:
    return y - ops.mean(y, axis=axis, keepdims=True)


class PearsonCorrelation(MeanMetricWrapper):
    """The mean of Pearson's correlation of each sample, along `axis`."""

    _direction = "up"

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)


class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean of Lin's concordance correlation of each sample, along `axis`."""

    _direction = "up"

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)
