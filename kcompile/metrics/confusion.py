"""Counts of right and wrong decisions at thresholds, and what follows from them: precision, recall, areas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import config
from kcompile.losses.loss import squeeze_or_expand_to_same_rank
from kcompile.metrics.metric import Metric
from kcompile.ops import elementwise as ew

LEAST = -1e10  # below every prediction: a threshold for those that top_k has kept


def thresholds_of(given: Any, default: float) -> list[float]:
    """Thresholds as a list.

    Raises:  ValueError for one outside of [0, 1].
    """
    if given is None:
        return [default]
    found = list(given) if isinstance(given, (list, tuple, np.ndarray)) else [given]
    outside = [t for t in found if t is None or t < 0 or t > 1]
    if outside:
        raise ValueError(f"Threshold values must be in [0, 1]. Received: {outside}")
    return found


def ratio(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0."""
    empty = ops.equal(b, 0)
    return ops.where(empty, 0, a / ops.where(empty, 1, b))


class Decisions:
    """Labels and predictions of a batch against thresholds; the methods count.

    Shapes:  y_true, y_pred (n, ...), thresholds (t,) -> counts (t,); with `per_label` (t, labels).
    """

    def __init__(
        self,
        y_true: Any,
        y_pred: Any,
        thresholds: Sequence[float],
        sample_weight: Any = None,
        label_weights: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        per_label: bool = False,
        dtype: str = "float32",
    ):
        y_pred, y_true = squeeze_or_expand_to_same_rank(
            ew.as_tensor(y_pred, dtype), ew.as_tensor(y_true, dtype)
        )
        if top_k is not None:
            y_pred = _only_top(y_pred, top_k)
        if class_id is not None:
            if len(y_pred.shape) == 1:
                raise ValueError(
                    "When class_id is provided, y_pred must be a 2D array with shape (num_samples, "
                    "num_classes), "
                    f"found shape: {tuple(y_pred.shape)}"
                )
            y_true, y_pred = y_true[..., class_id, None], y_pred[..., class_id, None]
        rank = len(y_pred.shape)
        at = np.asarray(thresholds, dtype).reshape((-1,) + (1,) * rank)
        self._axes = (1,) if per_label else tuple(range(1, rank + 1))
        self._dtype = dtype
        self._positive = ops.greater(ops.expand_dims(y_pred, 0), at)
        self._label = ops.expand_dims(ops.cast(y_true, "bool"), 0)
        self._weights = _joint_weights(y_true, sample_weight, label_weights, dtype)

    def _count(self, *conditions: Any) -> Any:
        hits = ops.cast(ops.logical_and(*conditions), self._dtype)
        hits = hits if self._weights is None else hits * self._weights
        return ops.sum(hits, axis=self._axes)

    def true_positives(self) -> Any:
        return self._count(self._label, self._positive)

    def false_positives(self) -> Any:
        return self._count(ops.logical_not(self._label), self._positive)

    def true_negatives(self) -> Any:
        return self._count(ops.logical_not(self._label), ops.logical_not(self._positive))

    def false_negatives(self) -> Any:
        return self._count(self._label, ops.logical_not(self._positive))


def _joint_weights(y_true: Any, sample_weight: Any, label_weights: Any, dtype: str) -> Any:
    weights = None
    if sample_weight is not None:
        given = ops.expand_dims(ew.as_tensor(sample_weight, dtype), -1)
        _, given = squeeze_or_expand_to_same_rank(y_true, given, expand_rank_1=False)
        weights = ops.expand_dims(ops.broadcast_to(given, tuple(y_true.shape)), 0)
    if label_weights is not None:
        labels = ew.as_tensor(np.asarray(label_weights), dtype)
        weights = labels if weights is None else weights * labels
    return weights


def _only_top(y_pred: Any, k: int) -> Any:
    """Predictions that fewer than k others of their row exceed; the rest becomes LEAST."""
    above = ops.greater(ops.expand_dims(y_pred, -2), ops.expand_dims(y_pred, -1))
    return ops.where(ops.less(ops.sum(ops.cast(above, "int32"), axis=-1), k), y_pred, LEAST)


class _Count(Metric):
    """One of the four counts, at one threshold or several."""

    counted: str  # the method of `Decisions`

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.thresholds = thresholds_of(thresholds, 0.5)
        self.accumulator = self.add_variable((len(self.thresholds),), name="accumulator")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        decisions = Decisions(y_true, y_pred, self.thresholds, sample_weight)
        self.accumulator.assign(self.accumulator.value + getattr(decisions, self.counted)())

    def result(self) -> Any:
        counts = self.accumulator.value
        return counts[0] if len(self.thresholds) == 1 else counts

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_Count):
    """How many samples of class 1 are predicted as such."""

    counted = "true_positives"


class FalsePositives(_Count):
    """How many samples of class 0 are predicted as class 1."""

    counted = "false_positives"


class TrueNegatives(_Count):
    """How many samples of class 0 are predicted as such."""

    counted = "true_negatives"


class FalseNegatives(_Count):
    """How many samples of class 1 are predicted as class 0."""

    counted = "false_negatives"


class _Share(Metric):
    """True positives as a share of themselves and one kind of mistakes."""

    _direction = "up"
    mistakes: str

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds, self.top_k, self.class_id = thresholds, top_k, class_id
        self.thresholds = thresholds_of(thresholds, 0.5 if top_k is None else LEAST / 2)
        self.true_positives = self.add_variable((len(self.thresholds),), name="true_positives")
        self._wrong = self.add_variable((len(self.thresholds),), name=self.mistakes)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        decisions = Decisions(
            y_true, y_pred, self.thresholds, sample_weight, top_k=self.top_k, class_id=self.class_id
        )
        self.true_positives.assign(self.true_positives.value + decisions.true_positives())
        self._wrong.assign(self._wrong.value + getattr(decisions, self.mistakes)())

    def result(self) -> Any:
        right = self.true_positives.value
        shares = ratio(right, right + self._wrong.value)
        return shares[0] if len(self.thresholds) == 1 else shares

    def get_config(self) -> dict[str, Any]:
        own = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **own}


class Precision(_Share):
    """Share of predictions of class 1 that are right.

    Args:    thresholds: predictions above are of class 1, 0.5 by default. top_k: only the k largest
             predictions of a sample count as class 1. class_id: look at this class only.
    """

    mistakes = "false_positives"


class Recall(_Share):
    """Share of samples of class 1 that are found. Arguments as of `Precision`."""

    mistakes = "false_negatives"


class AUC(Metric):
    """Area under the curve of true over false positives ("ROC"), or of precision over recall ("PR").

    Args:    num_thresholds: points of the curve, evenly spaced; or `thresholds` themselves. summation_method:
             "interpolation", "minoring" or "majoring". multi_label: a curve for each label, whose areas are
             averaged with label_weights. from_logits: predictions are scores before the sigmoid.
    Raises:  ValueError for unknown names and fewer than 2 thresholds.
    Source:  Davis and Goadrich 2006 for the interpolation of "PR".
    """

    _direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        super().__init__(name=name, dtype=dtype)
        if curve not in ("ROC", "PR"):
            raise ValueError(f"Invalid `curve` argument value {curve!r}. Expected one of: 'ROC', 'PR'")
        if summation_method not in ("interpolation", "minoring", "majoring"):
            raise ValueError(
                f"Invalid `summation_method` argument value {summation_method!r}. Expected one of: "
                "'interpolation', 'minoring', 'majoring'"
            )
        if thresholds is None and num_thresholds <= 1:
            raise ValueError(
                f"Argument `num_thresholds` must be an integer > 1. Received: num_thresholds={num_thresholds}"
            )
        if num_labels and not multi_label:
            raise ValueError("`num_labels` is needed only when `multi_label` is True.")
        self._given = None if thresholds is None else sorted(thresholds)
        inner = self._given or [k / (num_thresholds - 1) for k in range(1, num_thresholds - 1)]
        self.thresholds = [-config.epsilon(), *inner, 1.0 + config.epsilon()]
        self.num_thresholds = len(self.thresholds)
        self.curve, self.summation_method = curve, summation_method
        self.multi_label, self.num_labels, self.label_weights = multi_label, num_labels, label_weights
        self.from_logits = from_logits
        self._counts: dict[str, Any] = {}
        if not multi_label or num_labels:
            self._build((num_labels,) if num_labels else ())

    def _build(self, labels: tuple[Any, ...]) -> None:
        for kind in ("true_positives", "false_positives", "true_negatives", "false_negatives"):
            self._counts[kind] = self.add_variable((self.num_thresholds, *labels), name=kind)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = ew.as_tensor(y_pred, self.dtype)
        if not self._counts:
            if len(y_pred.shape) != 2:
                raise ValueError(
                    f"`y_pred` must have rank 2 when `multi_label=True`. Found {len(y_pred.shape)}."
                )
            self._build((y_pred.shape[1],))
        y_pred = ops.sigmoid(y_pred) if self.from_logits else y_pred
        weights = None if self.multi_label else self.label_weights
        decisions = Decisions(
            y_true, y_pred, self.thresholds, sample_weight, weights, per_label=self.multi_label
        )
        for kind, variable in self._counts.items():
            variable.assign(variable.value + getattr(decisions, kind)())

    def result(self) -> Any:
        tp, fp, tn, fn = (variable.value for variable in self._counts.values())
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._averaged(_interpolated_precision(tp, fp, fn))
        recall = ratio(tp, tp + fn)
        x, y = (ratio(fp, fp + tn), recall) if self.curve == "ROC" else (recall, ratio(tp, tp + fp))
        pick = {"minoring": ops.minimum, "majoring": ops.maximum}.get(self.summation_method, _middle)
        return self._averaged((x[:-1] - x[1:]) * pick(y[:-1], y[1:]))

    def _averaged(self, terms: Any) -> Any:
        areas = ops.sum(terms, axis=0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return ops.mean(areas)
        weights = ew.as_tensor(np.asarray(self.label_weights), self.dtype)
        return ratio(ops.sum(areas * weights), ops.sum(weights))

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self.from_logits,
        }
        return {**super().get_config(), **own, **({"thresholds": self._given} if self._given else {})}


def _middle(a: Any, b: Any) -> Any:
    return (a + b) / 2.0


def _interpolated_precision(tp: Any, fp: Any, fn: Any) -> Any:
    """Areas between thresholds, where true positives are taken as linear in the number of positives."""
    p = tp + fp
    dtp, dp = tp[:-1] - tp[1:], p[:-1] - p[1:]
    slope = ratio(dtp, ops.maximum(dp, 0))
    intercept = tp[1:] - slope * p[1:]
    both = ops.logical_and(ops.greater(p[:-1], 0), ops.greater(p[1:], 0))
    growth = ops.where(both, ratio(p[:-1], p[1:]), 1)
    return ratio(slope * (dtp + intercept * ops.log(growth)), tp[1:] + fn[1:])
