"""Counts of right and wrong decisions at thresholds, and what follows from them: precision, recall, areas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core.errors import BroadcastError, SubscriptError
from kcompile.core.symbolic import product
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


def into_range(y_pred: Any) -> Any:
    """Predictions in [0, 1], as Keras sorts them into buckets between even thresholds; NaN counts as 0."""
    return ops.clip(ops.where(ops.isnan(y_pred), 0.0, y_pred), 0.0, 1.0)


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
            y_true, y_pred = _only_class(y_true, class_id), _only_class(y_pred, class_id)
        y_true = _in_shape_of(y_pred, y_true)
        rank = len(y_pred.shape)
        at = np.asarray(thresholds, dtype).reshape((-1,) + (1,) * rank)
        self._axes = (1,) if per_label else tuple(range(1, rank + 1))
        self._dtype = dtype
        self._positive = ops.greater(ops.expand_dims(y_pred, 0), at)
        self._label = ops.expand_dims(ops.cast(y_true, "bool"), 0)
        self._weights = _joint_weights(y_true, sample_weight, label_weights, dtype)

    def _count(self, *conditions: Any) -> Any:
        hits = ops.logical_and(*conditions)
        if self._weights is None:
            return ops.sum(ops.cast(hits, self._dtype), axis=self._axes)
        # Chosen, not multiplied: a weight of NaN counts only where its sample does.
        return ops.sum(ops.where(hits, self._weights, 0.0), axis=self._axes)

    def true_positives(self) -> Any:
        return self._count(self._label, self._positive)

    def false_positives(self) -> Any:
        return self._count(ops.logical_not(self._label), self._positive)

    def true_negatives(self) -> Any:
        return self._count(ops.logical_not(self._label), ops.logical_not(self._positive))

    def false_negatives(self) -> Any:
        return self._count(self._label, ops.logical_not(self._positive))


def _in_shape_of(y_pred: Any, y_true: Any) -> Any:
    """As many labels as predictions, in their shape: what is counted has no order, as in Keras.

    Raises:  BroadcastError for another number of labels.
    """
    shape, own = tuple(y_pred.shape), tuple(y_true.shape)
    if own == shape or not all(isinstance(d, int) for d in (*shape, *own)):
        return y_true
    if product(own) != product(shape):
        raise BroadcastError(
            f"There must be as many labels as predictions. Received: y_true.shape={own}, y_pred.shape={shape}"
        )
    return ops.reshape(y_true, shape)


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


def _only_class(y: Any, class_id: int) -> Any:
    """One column.

    Raises:  SubscriptError for a class that there is not.
    """
    size = y.shape[-1]
    if isinstance(size, int) and not -size <= class_id < size:
        raise SubscriptError(
            f"`class_id` must be below the number of classes, {size}. Received: class_id={class_id} for an "
            f"array of shape {tuple(y.shape)}"
        )
    return y[..., class_id, None]


def _only_top(y_pred: Any, k: int) -> Any:
    """The k largest predictions of each row, of equal ones the first; the rest becomes LEAST.

    Raises:  ValueError for k above the number of predictions in a row.
    """
    size = y_pred.shape[-1] if y_pred.shape else 1
    if isinstance(size, int) and k > size:
        raise ValueError(
            f"`top_k` must be at most the number of classes, {size}. Received: top_k={k} for predictions of "
            f"shape {tuple(y_pred.shape)}"
        )
    others, own = ops.expand_dims(y_pred, -2), ops.expand_dims(y_pred, -1)
    place = ops.arange(ops.shape(y_pred)[-1])
    earlier = ops.less(ops.expand_dims(place, 0), ops.expand_dims(place, 1))
    above = ops.logical_or(ops.greater(others, own), ops.logical_and(ops.equal(others, own), earlier))
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
        kept = self.accumulator.dtype
        decisions = Decisions(y_true, y_pred, self.thresholds, sample_weight, dtype=kept)
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
        setattr(self, self.mistakes, self.add_variable((len(self.thresholds),), name=self.mistakes))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        decisions = Decisions(
            *(y_true, y_pred, self.thresholds, sample_weight),
            top_k=self.top_k,
            class_id=self.class_id,
            dtype=self.true_positives.dtype,
        )
        self.true_positives.assign(self.true_positives.value + decisions.true_positives())
        wrong = getattr(self, self.mistakes)
        wrong.assign(wrong.value + getattr(decisions, self.mistakes)())

    def result(self) -> Any:
        right = self.true_positives.value
        shares = ratio(right, right + getattr(self, self.mistakes).value)
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
