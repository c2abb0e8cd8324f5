"""The best of one rate where another is at least a given value: sensitivity at specificity and the like."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.metrics.confusion import Decisions, into_range, ratio
from kcompile.metrics.metric import Metric
from kcompile.ops import elementwise as ew
from kcompile.trace.variable import Variable

COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


class SensitivitySpecificityBase(Metric):
    """Counts at evenly spaced thresholds, one of whose rates is constrained from below.

    Raises:  ValueError for a value outside of [0, 1] and fewer than 1 threshold.
    """

    _direction = "up"
    constrained: str  # names of methods below
    best: str
    argument: str  # the constructor's name of the least value
    true_positives: Variable  # one of COUNTS, which __init__ makes

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        if value < 0 or value > 1:
            raise ValueError(
                f"Argument `{self.argument}` must be in the range [0, 1]. Received: {self.argument}={value}"
            )
        if num_thresholds <= 0:
            raise ValueError(
                f"Argument `num_thresholds` must be an integer > 0. Received: num_thresholds={num_thresholds}"
            )
        self.value, self.num_thresholds, self.class_id = value, num_thresholds, class_id
        setattr(self, self.argument, value)
        last = num_thresholds - 1
        self.thresholds = [0.5] if last == 0 else [k / last for k in range(num_thresholds)]
        for count in COUNTS:
            setattr(self, count, self.add_variable((num_thresholds,), name=count))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        kept = self.true_positives.dtype  # not the metric's: half precision would move predictions
        y_pred = ew.as_tensor(y_pred, kept)
        if self.num_thresholds >= 3:
            y_pred = into_range(y_pred)
        decisions = Decisions(
            *(y_true, y_pred, self.thresholds, sample_weight), class_id=self.class_id, dtype=kept
        )
        for count in COUNTS:
            variable = getattr(self, count)
            variable.assign(variable.value + getattr(decisions, count)())

    def _rate(self, name: str) -> Any:
        hits, misses = {
            "sensitivity": ("true_positives", "false_negatives"),
            "specificity": ("true_negatives", "false_positives"),
            "precision": ("true_positives", "false_positives"),
            "recall": ("true_positives", "false_negatives"),
        }[name]
        right, wrong = getattr(self, hits).value, getattr(self, misses).value
        return ratio(right, right + wrong)

    def result(self) -> Any:
        feasible = ops.greater_equal(self._rate(self.constrained), self.value)
        return ops.max(ops.where(feasible, self._rate(self.best), 0.0))  # rates are never negative

    def get_config(self) -> dict[str, Any]:
        own = {"class_id": self.class_id, "num_thresholds": self.num_thresholds, self.argument: self.value}
        return {**super().get_config(), **own}


class SensitivityAtSpecificity(SensitivitySpecificityBase):
    """The best sensitivity tp / (tp + fn) where specificity tn / (tn + fp) is at least `specificity`."""

    constrained, best, argument = "specificity", "sensitivity", "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)


class SpecificityAtSensitivity(SensitivitySpecificityBase):
    """The best specificity tn / (tn + fp) where sensitivity tp / (tp + fn) is at least `sensitivity`."""

    constrained, best, argument = "sensitivity", "specificity", "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)


class PrecisionAtRecall(SensitivitySpecificityBase):
    """The best precision tp / (tp + fp) where recall tp / (tp + fn) is at least `recall`."""

    constrained, best, argument = "recall", "precision", "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(recall, num_thresholds, class_id, name, dtype)


class RecallAtPrecision(SensitivitySpecificityBase):
    """The best recall tp / (tp + fn) where precision tp / (tp + fp) is at least `precision`."""

    constrained, best, argument = "precision", "recall", "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(precision, num_thresholds, class_id, name, dtype)
