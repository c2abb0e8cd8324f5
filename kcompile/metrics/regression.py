"""Metrics between numbers."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.losses import regression as functions
from kcompile.metrics.reduction import Mean, MeanMetricWrapper
from kcompile.ops import elementwise as ew


class MeanSquaredError(MeanMetricWrapper):
    """mean((y_true - y_pred)^2)."""

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None):
        super().__init__(functions.mean_squared_error, name, dtype)


class MeanAbsoluteError(MeanMetricWrapper):
    """mean(|y_true - y_pred|)."""

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None):
        super().__init__(functions.mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """100 mean(|y_true - y_pred| / |y_true|)."""

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None):
        super().__init__(functions.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """mean((log(1 + y_true) - log(1 + y_pred))^2)."""

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None):
        super().__init__(functions.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanMetricWrapper):
    """mean(log(cosh(y_pred - y_true)))."""

    def __init__(self, name: str | None = "logcosh", dtype: Any = None):
        super().__init__(functions.log_cosh, name, dtype)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """cos of the angle between y_true and y_pred along an axis: 1 is the same direction."""
    return -functions.cosine_similarity(y_true, y_pred, axis)


class CosineSimilarity(MeanMetricWrapper):
    """cos of the angle between y_true and y_pred: 1 is the same direction."""

    _direction = "up"
    optional = {"axis": -1}

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1):
        super().__init__(cosine_similarity, name, dtype, axis=axis)


class RootMeanSquaredError(Mean):
    """sqrt(mean((y_true - y_pred)^2)) over everything, not the mean of batches' roots."""

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype=dtype)

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        y_true, y_pred = functions.pair(ew.as_tensor(y_true), ew.as_tensor(y_pred, self.dtype))
        super().update_state(ops.square(y_pred - y_true), sample_weight)

    def result(self) -> Any:
        return ops.sqrt(super().result())
