"""Losses of overlapping regions: Dice and Tversky."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import config
from kcompile.losses.loss import LossFunctionWrapper, fitting, pair


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """1 - 2 |overlap| / (|y_true| + |y_pred|), sums over `axis` (all by default)."""
    y_true, y_pred = fitting(*pair(y_true, y_pred))
    overlap = ops.sum(y_true * y_pred, axis=axis)
    total = ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis) + config.epsilon()
    return 1 - 2.0 * overlap / total


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Any:
    """Dice with `alpha` and `beta` as weights of what only y_true and only y_pred cover (Salehi et al.
    2017)."""
    y_true, y_pred = fitting(*pair(y_true, y_pred))
    overlap = ops.sum(y_true * y_pred, axis=axis)
    missed = ops.sum((1 - y_pred) * y_true, axis=axis)
    extra = ops.sum(y_pred * (1 - y_true), axis=axis)
    return 1 - overlap / (overlap + missed * alpha + extra * beta + config.epsilon())


class Dice(LossFunctionWrapper):
    """1 - 2 |overlap| / (|y_true| + |y_pred|)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "dice",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(dice, reduction, name, dtype, axis=axis)


class Tversky(LossFunctionWrapper):
    """Dice with weights for what only one of both covers."""

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
