"""The share of the variance that predictions explain."""

from __future__ import annotations

import warnings
from typing import Any

from kcompile import ops
from kcompile.core.callers import users_level
from kcompile.ir.graph import Value
from kcompile.losses.loss import check_broadcast, squeeze_or_expand_to_same_rank
from kcompile.metrics.metric import Metric, no_state
from kcompile.ops import elementwise as ew

AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


class R2Score(Metric):
    """1 - sum((y_true - y_pred)^2) / sum((y_true - mean)^2), of each output: (n, outputs).

    Args:    class_aggregation: "uniform_average" is the mean over outputs, "variance_weighted_average" that
             weighted by their variances, None gives one number per output. num_regressors: above 0, the
             adjusted score for so many independent variables; the plain one where there are too few samples.
    Raises:  ValueError for other values, and for inputs that are not 2-D.
    """

    _direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        if class_aggregation not in AGGREGATIONS:
            raise ValueError(
                f"Invalid value for argument `class_aggregation`. Expected one of {AGGREGATIONS}. "
                f"Received: class_aggregation={class_aggregation}"
            )
        if num_regressors < 0:
            raise ValueError(
                "Invalid value for argument `num_regressors`. Expected a value >= 0. "
                f"Received: num_regressors={num_regressors}"
            )
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.num_samples = self.add_variable((), name="num_samples")
        self._sums: list[Any] = []

    def _build(self, y_true: Any, y_pred: Any) -> None:
        shapes = f"y_pred.shape={tuple(y_pred.shape)} and y_true.shape={tuple(y_true.shape)}"
        if len(y_pred.shape) != 2 or len(y_true.shape) != 2 or not isinstance(y_pred.shape[1], int):
            raise ValueError(
                "R2Score expects 2D inputs with shape (batch_size, output_dim), with output_dim fully "
                f"defined (not None). Received input shapes: {shapes}."
            )
        names = ("squared_sum", "sum", "residual", "count")
        self._sums = [self.add_variable((y_pred.shape[1],), name=name) for name in names]
        self.squared_sum, self.sum, self.total_mse, self.count = self._sums

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = ew.as_tensor(y_true, self.dtype), ew.as_tensor(y_pred, self.dtype)
        y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        if not self._sums:
            self._build(y_true, y_pred)
        check_broadcast(y_true, y_pred, "y_true and y_pred")
        weight = ew.as_tensor(1 if sample_weight is None else sample_weight, self.dtype)
        weight = ops.expand_dims(weight, 1) if len(weight.shape) == 1 else weight
        weight = ops.broadcast_to(weight, y_true.shape)
        parts = (y_true * (y_true * weight), y_true * weight, ops.square(y_true - y_pred) * weight, weight)
        for variable, part in zip(self._sums, parts, strict=True):
            variable.assign(variable.value + ops.sum(part, axis=0))
        size = ew.as_tensor(y_true.shape[0] * y_true.shape[1], self.dtype)
        self.num_samples.assign(self.num_samples.value + size)

    def result(self) -> Any:
        if not self._sums:
            raise no_state(self)
        squares, total, residual, count = (variable.value for variable in self._sums)
        spread = squares - total * (total / count)
        scores = 1 - residual / spread
        scores = ops.where(ops.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = ops.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = ops.sum(spread * scores) / ops.sum(spread)
        return scores if self.num_regressors == 0 else self._adjusted(scores)

    def _adjusted(self, scores: Any) -> Any:
        others = self.num_samples.value - 1.0
        free = others - float(self.num_regressors)
        if not isinstance(free, Value) and free <= 0:
            reason = "Division by zero" if free == 0 else "More independent predictors than datapoints"
            warnings.warn(
                f"{reason} in adjusted R2 score. Falling back to standard R2 score.", stacklevel=users_level()
            )
        enough = ops.greater(free, 0)
        adjusted = 1.0 - (1.0 - scores) * others / ops.where(enough, free, 1.0)
        return ops.where(enough, adjusted, scores)

    def get_config(self) -> dict[str, Any]:
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}
