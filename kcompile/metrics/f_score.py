"""F scores: precision and recall in one number."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import config
from kcompile.losses.loss import check_broadcast
from kcompile.metrics.metric import Metric, no_state
from kcompile.ops import elementwise as ew

COUNTS = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")


class FBetaScore(Metric):
    """(1 + beta^2) precision recall / (beta^2 precision + recall), of each class.

    Shapes:  y_true one-hot (n, classes), y_pred (n, classes).
    Args:    average: None gives a number per class, "micro" counts all classes together, "macro" is the
             mean over classes, "weighted" the mean weighted by their samples. threshold: predictions above
             are positive; by default the largest of each sample.
    Raises:  ValueError for other values, and for inputs that are not 2-D.
    """

    _direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                "Invalid `average` argument value. Expected one of: None, 'micro', 'macro', 'weighted'. "
                f"Received: average={average}"
            )
        if not isinstance(beta, float) or beta <= 0.0:
            raise ValueError(
                f"Invalid `beta` argument value. It should be a float > 0. Received: beta={beta}"
            )
        if threshold is not None and not (isinstance(threshold, float) and 0.0 < threshold <= 1.0):
            raise ValueError(
                "Invalid `threshold` argument value. It should be a float with 0 < threshold <= 1. "
                f"Received: threshold={threshold}"
            )
        self.average, self.beta, self.threshold = average, beta, threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = ew.as_tensor(y_true, self.dtype), ew.as_tensor(y_pred, self.dtype)
        if len(y_true.shape) != 2 or len(y_pred.shape) != 2:
            raise ValueError(
                "FBetaScore expects 2D inputs with shape (batch_size, output_dim). Received input shapes: "
                f"y_pred.shape={tuple(y_pred.shape)} and y_true.shape={tuple(y_true.shape)}."
            )
        if not self._variables:
            shape = () if self.average == "micro" else (y_pred.shape[1],)
            for name in COUNTS:
                setattr(self, name, self.add_variable(shape, dtype=self.dtype, name=name))
        check_broadcast(y_true, y_pred, "y_true and y_pred")
        positive = ops.cast(self._decided(y_pred), self.dtype)
        parts = (positive * y_true, positive * (1 - y_true), (1 - positive) * y_true, y_true)
        weights = (
            None if sample_weight is None else ops.expand_dims(ew.as_tensor(sample_weight, self.dtype), 1)
        )
        for variable, part in zip(self._variables, parts, strict=True):
            counted = part if weights is None else ops.multiply(part, weights)
            variable.assign(variable.value + ops.sum(counted, axis=None if self.average == "micro" else 0))

    def _decided(self, y_pred: Any) -> Any:
        if self.threshold is not None:
            return ops.greater(y_pred, self.threshold)
        largest = ops.greater_equal(y_pred, ops.max(y_pred, axis=-1, keepdims=True))
        return ops.logical_and(largest, ops.greater(ops.abs(y_pred), 1e-9))

    def result(self) -> Any:
        if not self._variables:
            raise no_state(self)
        right, false_positives, false_negatives, samples = (v.value for v in self._variables)
        epsilon, squared = config.epsilon(), self.beta**2
        # Ops, not operators: beside Python's floats NumPy would widen half precision.
        precision = ops.divide(right, ops.add(ops.add(right, false_positives), epsilon))
        recall = ops.divide(right, ops.add(ops.add(right, false_negatives), epsilon))
        precision, recall = ew.as_tensor(precision, self.dtype), ew.as_tensor(recall, self.dtype)
        below = ops.add(ops.add(ops.multiply(squared, precision), recall), epsilon)
        score = ops.multiply(ops.divide(ops.multiply(precision, recall), below), 1 + squared)
        if self.average == "weighted":
            shares = ops.divide(samples, ops.add(ops.sum(samples), epsilon))
            return ops.sum(ops.multiply(score, shares))
        return score if self.average is None else ops.mean(score)

    def get_config(self) -> dict[str, Any]:
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


class F1Score(FBetaScore):
    """Twice precision times recall over their sum. Arguments as of `FBetaScore`."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "beta"}
