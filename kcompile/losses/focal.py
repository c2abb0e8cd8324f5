"""Focal cross-entropies: samples that are right already weigh less (Lin et al. 2017)."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import config
from kcompile.losses.loss import LossFunctionWrapper, fitting, pair
from kcompile.losses.probabilistic import _check_axis, smooth, smooth_binary


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Binary cross-entropy times (1 - p of the right class)^gamma, mean over `axis`.

    Args:    apply_class_balancing: weigh class 1 by `alpha` and class 0 by 1 - alpha.
    """
    y_true, y_pred = pair(y_true, y_pred)
    y_true = smooth_binary(y_true, label_smoothing)
    y_pred = ops.sigmoid(y_pred) if from_logits else y_pred
    entropy = ops.binary_crossentropy(y_true, y_pred, from_logits=False)
    right = y_true * y_pred + (1 - y_true) * (1 - y_pred)
    values = ops.power(1.0 - right, gamma) * entropy
    if apply_class_balancing:
        values = (y_true * alpha + (1 - y_true) * (1 - alpha)) * values
    return ops.mean(values, axis=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """sum(alpha (1 - p)^gamma (-y_true log p)) over the classes on `axis`."""
    _check_axis(axis)
    y_true, y_pred = fitting(*pair(y_true, y_pred))
    y_true = smooth(y_true, label_smoothing)
    y_pred = ops.softmax(y_pred, axis=axis) if from_logits else y_pred
    p = y_pred / ops.sum(y_pred, axis=axis, keepdims=True)
    p = ops.clip(p, config.epsilon(), 1.0 - config.epsilon())
    return ops.sum(ops.power(1.0 - p, gamma) * alpha * (-y_true * ops.log(p)), axis=axis)


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Binary cross-entropy that weighs samples by how wrong they are."""

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ):
        settings = {
            "from_logits": from_logits,
            "label_smoothing": label_smoothing,
            "axis": axis,
            "apply_class_balancing": apply_class_balancing,
            "alpha": alpha,
            "gamma": gamma,
        }
        super().__init__(binary_focal_crossentropy, reduction, name, dtype, **settings)


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Categorical cross-entropy that weighs samples by how wrong they are."""

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_focal_crossentropy",
        dtype: Any = None,
    ):
        settings = {
            "from_logits": from_logits,
            "label_smoothing": label_smoothing,
            "axis": axis,
            "alpha": alpha,
            "gamma": gamma,
        }
        super().__init__(categorical_focal_crossentropy, reduction, name, dtype, **settings)
