"""Margin losses. Labels are -1 or 1; 0 or 1 are taken as such if no other label occurs."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.losses.loss import LossFunctionWrapper, fitting, pair


def signed(y_true: Any) -> Any:
    """Labels 0 and 1 as -1 and 1; other labels as they are."""
    is_binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
    return ops.where(is_binary, 2.0 * y_true - 1.0, y_true)


def hinge(y_true: Any, y_pred: Any) -> Any:
    """mean(max(1 - y_true y_pred, 0)) over the last axis."""
    y_true, y_pred = fitting(*pair(y_true, y_pred))
    return ops.mean(ops.maximum(1.0 - signed(y_true) * y_pred, 0.0), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """mean(max(1 - y_true y_pred, 0)^2) over the last axis."""
    y_true, y_pred = fitting(*pair(y_true, y_pred))
    return ops.mean(ops.square(ops.maximum(1.0 - signed(y_true) * y_pred, 0.0)), axis=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(1 + largest score of the wrong classes - score of the right one, 0); y_true is one-hot."""
    y_true, y_pred = fitting(*pair(y_true, y_pred))
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


class Hinge(LossFunctionWrapper):
    """mean(max(1 - y_true y_pred, 0))."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "hinge", dtype: Any = None):
        super().__init__(hinge, reduction, name, dtype)


class SquaredHinge(LossFunctionWrapper):
    """mean(max(1 - y_true y_pred, 0)^2)."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "squared_hinge", dtype: Any = None
    ):
        super().__init__(squared_hinge, reduction, name, dtype)


class CategoricalHinge(LossFunctionWrapper):
    """max(1 + largest wrong score - right score, 0) for one-hot labels."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_hinge",
        dtype: Any = None,
    ):
        super().__init__(categorical_hinge, reduction, name, dtype)
