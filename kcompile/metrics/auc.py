"""Areas under curves that thresholds trace out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import config, dtypes
from kcompile.core.errors import BroadcastError
from kcompile.core.serialization import deserialize_keras_object
from kcompile.metrics.confusion import Decisions, into_range, ratio
from kcompile.metrics.metric import Metric, no_state
from kcompile.ops import elementwise as ew

CURVES = {"roc": "ROC", "pr": "PR", "prgain": "PRGAIN"}
SUMMATIONS = {name: name for name in ("interpolation", "minoring", "majoring")}


def one_of(what: str, given: Any, known: dict[str, str]) -> str:
    """The name that `given` stands for; it may be written in lower case, capitals or with one capital."""
    spelled = {form(name) for name in known for form in (str.lower, str.upper, str.capitalize)}
    if not isinstance(given, str) or given not in spelled:
        raise ValueError(f'Invalid {what} value: "{given}". Expected values are {list(known.values())}')
    return known[given.lower()]


def _is_even(thresholds: Sequence[float]) -> bool:
    even = np.arange(len(thresholds)) / (len(thresholds) - 1)
    return len(thresholds) >= 3 and np.allclose(thresholds, even, atol=config.epsilon())


class AUC(Metric):
    """Area under the curve of true over false positives ("ROC"), or of precision over recall ("PR").

    A third curve is "PRGAIN", of precision gain over recall gain, with which 0 is no better than chance.

    Args:    num_thresholds: points of the curve, evenly spaced; or `thresholds` themselves. summation_method:
             "interpolation", "minoring" or "majoring". multi_label: a curve for each label, whose areas are
             averaged with label_weights. from_logits: predictions are scores before the sigmoid.
    Raises:  ValueError for unknown names and fewer than 2 thresholds.
    Source:  Davis and Goadrich 2006 for the interpolation of "PR"; Flach and Kull 2015 for "PRGAIN".
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
        self.curve = one_of("AUC curve", curve, CURVES)
        self.summation_method = one_of("AUC summation method", summation_method, SUMMATIONS)
        if thresholds is None and num_thresholds <= 1:
            raise ValueError(
                f"Argument `num_thresholds` must be an integer > 1. Received: num_thresholds={num_thresholds}"
            )
        if num_labels and not multi_label:
            raise ValueError("`num_labels` is needed only when `multi_label` is True.")
        self._given = None if thresholds is None else sorted(thresholds)
        even = [k / (num_thresholds - 1) for k in range(1, num_thresholds - 1)] if thresholds is None else []
        inner = even if self._given is None else self._given
        self.thresholds = [-config.epsilon(), *inner, 1.0 + config.epsilon()]
        self.num_thresholds = len(self.thresholds)
        self._is_even = self._given is None or _is_even([0.0, *inner, 1.0])
        self.multi_label, self.num_labels = multi_label, num_labels
        given = None if label_weights is None else np.asarray(label_weights, dtypes.numpy_dtype(self.dtype))
        self.label_weights = given
        self.from_logits = from_logits
        self._counts: dict[str, Any] = {}
        if not multi_label or num_labels:
            self._build((num_labels,) if num_labels else ())

    def _build(self, labels: tuple[Any, ...]) -> None:
        for kind in ("true_positives", "false_positives", "true_negatives", "false_negatives"):
            self._counts[kind] = self.add_variable((self.num_thresholds, *labels), name=kind)
            setattr(self, kind, self._counts[kind])

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = ew.as_tensor(y_pred)
        if self.multi_label:
            self._check_labels(tuple(y_pred.shape))
        y_pred = ops.sigmoid(y_pred) if self.from_logits else y_pred
        kept = self._counts["true_positives"].dtype  # not the metric's: half precision would move predictions
        y_pred = ew.as_tensor(y_pred, kept)
        y_pred = into_range(y_pred) if self._is_even else y_pred
        weights = None if self.multi_label else self.label_weights
        decisions = Decisions(
            *(y_true, y_pred, self.thresholds, sample_weight, weights), per_label=self.multi_label, dtype=kept
        )
        for kind, variable in self._counts.items():
            variable.assign(variable.value + getattr(decisions, kind)())

    def _check_labels(self, shape: tuple[Any, ...]) -> None:
        """Predictions must have the labels that there are curves and weights for; the first say how many."""
        if not self._counts:
            if len(shape) != 2:
                raise ValueError(f"`y_pred` must have rank 2 when `multi_label=True`. Found {len(shape)}.")
            self._build((shape[1],))
        known = {"num_labels": self._counts["true_positives"].shape[1]}
        if self.label_weights is not None and self.label_weights.ndim:
            known["the length of label_weights"] = self.label_weights.shape[-1]
        for name, count in known.items():
            if count != 1 and isinstance(shape[-1], int) and shape[-1] not in (1, count):
                raise BroadcastError(
                    f"AUC: predictions must have as many labels as {name}, {count}. Received: "
                    f"y_pred.shape={shape}"
                )

    def result(self) -> Any:
        if not self._counts:
            raise no_state(self)
        tp, fp, tn, fn = (variable.value for variable in self._counts.values())
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self.interpolate_pr_auc()
        x, y = _curve(self.curve, tp, fp, tn, fn)
        pick = {"minoring": ops.minimum, "majoring": ops.maximum}.get(self.summation_method, _middle)
        return self._averaged((x[:-1] - x[1:]) * pick(y[:-1], y[1:]))

    def interpolate_pr_auc(self) -> Any:
        """The area under "PR", where true positives are linear in the positives between two thresholds."""
        counts = (
            self._counts[kind].value for kind in ("true_positives", "false_positives", "false_negatives")
        )
        return self._averaged(_interpolated_precision(*counts))

    def _averaged(self, terms: Any) -> Any:
        areas = ops.sum(terms, axis=0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return ops.mean(areas)
        weights = ew.as_tensor(self.label_weights)
        return ratio(ops.sum(areas * weights), ops.sum(weights))

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
        }
        given = {} if self._given is None else {"thresholds": self._given}
        return {**super().get_config(), **own, **given}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """`label_weights` may be a list, or the tensor that Keras writes."""
        return cls(**{**config, "label_weights": deserialize_keras_object(config.get("label_weights"))})


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


def _curve(kind: str, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
    """(x, y) at each threshold."""
    recall = ratio(tp, tp + fn)
    if kind == "ROC":
        return ratio(fp, fp + tn), recall
    if kind == "PR":
        return recall, ratio(tp, tp + fp)
    odds = ratio(tp + fn, tn + fp)
    missed = ops.equal(tp, 0)  # nothing found: the gains have no value there
    recall_gain = ops.where(missed, 0.0, 1.0 - odds * ratio(fn, tp))
    precision_gain = ops.where(missed, 1.0, 1.0 - odds * ratio(fp, tp))
    return ops.maximum(recall_gain, 0.0), precision_gain
