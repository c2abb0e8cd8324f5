"""Metrics that add up: Sum, Mean, and a function's mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile import losses, ops
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.losses.loss import apply_mask, squeeze_or_expand_to_same_rank
from kcompile.metrics.metric import Metric
from kcompile.ops import elementwise as ew
from kcompile.trace.masks import mask_of


def samplewise(values: Any, sample_weight: Any, reduce: Callable[..., Any], dtype: str) -> tuple[Any, Any]:
    """Values per sample, weighted, and the weights per sample: later axes are reduced.

    Shapes:  values (n, ...), sample_weight None or what broadcasts to values, with fewer axes at most ->
             (n,).
    """
    mask = mask_of(values)
    values = ew.as_tensor(values, dtype)
    if sample_weight is not None:
        weights = ew.as_tensor(sample_weight, dtype)
        weights = apply_mask(weights, mask, dtype, "sum")
        values, weights = squeeze_or_expand_to_same_rank(values, weights)
        rank = len(weights.shape)
        if len(values.shape) > rank:
            values = reduce(values, axis=tuple(range(rank, len(values.shape))))
        weights = ops.broadcast_to(weights, values.shape)
        values = values * weights
        sample_weight = reduce(weights, axis=tuple(range(1, rank))) if rank > 1 else weights
    if len(values.shape) > 1:
        values = reduce(values, axis=tuple(range(1, len(values.shape))))
    return values, sample_weight


class Sum(Metric):
    """The (weighted) sum of values.

    >>> metric = Sum()
    >>> metric.update_state([1, 3, 5]); float(metric.result())
    9.0
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(dtype=self.dtype, name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, _ = samplewise(values, sample_weight, ops.sum, self.dtype)
        self.total.assign(self.total.value + ops.sum(values))

    def result(self) -> Any:
        return ops.copy(ew.as_tensor(self.total, self.dtype))  # later updates must not change it


class Mean(Metric):
    """The (weighted) mean of values.

    >>> metric = Mean()
    >>> metric.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0]); float(metric.result())
    2.0
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(dtype=self.dtype, name="total")
        self.count = self.add_variable(dtype=self.dtype, name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, weights = samplewise(values, sample_weight, ops.mean, self.dtype)
        count = ops.sum(weights) if weights is not None else values.shape[0] if len(values.shape) else 1
        self.total.assign(self.total.value + ops.sum(values))
        self.count.assign(self.count.value + ew.as_tensor(count, self.dtype))

    def result(self) -> Any:
        total, count = ew.as_tensor(self.total, self.dtype), ew.as_tensor(self.count, self.dtype)
        empty = ops.equal(count, 0)
        return ops.where(empty, 0, total / ops.where(empty, 1, count))


class MeanMetricWrapper(Mean):
    """The mean of a function of (y_true, y_pred, **kwargs). The library's own are subclasses.

    `optional` names arguments that stay out of the config while they have this value, as in Keras's files.
    """

    optional: dict[str, Any] = {}

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any):
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        if fn in losses.FUNCTIONS or type(fn) in losses.CLASSES:
            self._direction = "down"
        if type(self) is not MeanMetricWrapper:
            self.__dict__.update(kwargs)

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        mask = mask_of(y_pred)
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        super().update_state(values, apply_mask(sample_weight, mask, self.dtype, "sum"))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if type(self) is MeanMetricWrapper:
            config["fn"] = serialize_keras_object(self._fn)
        kept = {k: v for k, v in self._fn_kwargs.items() if k not in self.optional or v != self.optional[k]}
        return {**config, **serialize_keras_object(kept)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**(deserialize_keras_object(config) if "fn" in config else config))
