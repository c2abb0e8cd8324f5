"""Metrics between distributions, and margins."""

from __future__ import annotations

from typing import Any

from kcompile.losses import margin as margins
from kcompile.losses import probabilistic as functions
from kcompile.metrics.reduction import MeanMetricWrapper


class KLDivergence(MeanMetricWrapper):
    """sum(y_true log(y_true / y_pred))."""

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None):
        super().__init__(functions.kl_divergence, name, dtype)


class Poisson(MeanMetricWrapper):
    """mean(y_pred - y_true log(y_pred))."""

    def __init__(self, name: str | None = "poisson", dtype: Any = None):
        super().__init__(functions.poisson, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """Cross-entropy of labels 0 or 1 and probabilities (or logits)."""

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ):
        settings = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(functions.binary_crossentropy, name, dtype, **settings)


class CategoricalCrossentropy(MeanMetricWrapper):
    """Cross-entropy of one-hot labels and class probabilities (or logits)."""

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ):
        settings = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(functions.categorical_crossentropy, name, dtype, **settings)


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """Cross-entropy of class numbers and class probabilities (or logits)."""

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        settings = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(functions.sparse_categorical_crossentropy, name, dtype, **settings)


class Hinge(MeanMetricWrapper):
    """mean(max(1 - y_true y_pred, 0))."""

    def __init__(self, name: str | None = "hinge", dtype: Any = None):
        super().__init__(margins.hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """mean(max(1 - y_true y_pred, 0)^2)."""

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None):
        super().__init__(margins.squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """max(1 + largest wrong score - right score, 0) for one-hot labels."""

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None):
        super().__init__(margins.categorical_hinge, name, dtype)
