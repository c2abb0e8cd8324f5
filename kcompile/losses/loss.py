"""The base of losses: per-sample values, then weights, masks and one reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile import dtype_policies, ops
from kcompile.core import dtypes, tree
from kcompile.core.config import floatx
from kcompile.core.errors import ArgumentError
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.core.symbolic import product
from kcompile.ir.types import broadcast_shapes
from kcompile.ops import elementwise as ew
from kcompile.ops.public import Symbolic
from kcompile.trace.masks import mask_of
from kcompile.trace.naming import auto_name, checked_name

REDUCTIONS = ("sum_over_batch_size", "sum", None, "none", "mean", "mean_with_sample_weight")
MEANS = ("sum_over_batch_size", "mean")


class Loss:
    """A loss to subclass: `call(y_true, y_pred)` gives values per sample, which are weighted and reduced.

    Args:    reduction: "sum_over_batch_size" (or "mean"): sum / number of values; "mean_with_sample_weight":
             sum / sum of weights; "sum"; None or "none": the values themselves.
             dtype: dtype or policy of the computation, the default float unless given.

    >>> import numpy as np
    >>> class Absolute(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return ops.mean(ops.abs(y_true - y_pred), axis=-1)
    >>> float(Absolute()(np.zeros((2, 1)), np.ones((2, 1)), sample_weight=np.array([1.0, 3.0])))
    2.0
    """

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ):
        self.name = name or auto_name(type(self).__name__)
        self.reduction = standardize_reduction(reduction)
        self._dtype = dtype_policies.get(dtype or floatx()).compute_dtype

    @property
    def dtype(self) -> str:
        return self._dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if y_true is None or y_pred is None:
            raise ValueError(
                f"Loss '{self.name}' needs labels and predictions. Received: y_true={y_true}, y_pred={y_pred}"
            )
        checked_name(self.name)  # here and not before, as in Keras
        in_mask = mask_of(y_pred)
        y_pred = tree.map_structure(lambda x: tensor(x, self._dtype), y_pred)
        y_true = tree.map_structure(lambda x: tensor(x, self._dtype), y_true)
        values = self.call(y_true, y_pred)
        mask = joint_mask(in_mask, mask_of(values))
        return reduce_weighted_values(values, sample_weight, mask, self.reduction, self._dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss values, one per sample (or per prediction)."""
        raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred)")

    def classes(self, y_pred_shape: tuple[Any, ...]) -> int | None:
        """If labels are class numbers: how many classes there are, so that they can be checked before
        training."""
        return None

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


class LossFunctionWrapper(Loss):
    """A function of (y_true, y_pred, **kwargs) as a loss. The library's own losses are subclasses.

    `optional` names arguments that stay out of the config while they have this value, as in Keras's files.
    """

    optional: dict[str, Any] = {}

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs
        if type(self) is not LossFunctionWrapper:
            self.__dict__.update(kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if type(self) is not LossFunctionWrapper and (isinstance(y_true, dict) or isinstance(y_pred, dict)):
            raise ArgumentError(
                f"Loss '{self.name}' takes one tensor of labels and one of predictions. Received dicts: "
                f"y_true={y_true}, y_pred={y_pred}"
            )
        if not isinstance(y_true, (list, tuple, dict)):
            y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def classes(self, y_pred_shape: tuple[Any, ...]) -> int | None:
        count = getattr(self.fn, "classes", None)
        return None if count is None else count(y_pred_shape, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if type(self) is LossFunctionWrapper:
            config["fn"] = serialize_keras_object(self.fn)
        kept = {k: v for k, v in self._fn_kwargs.items() if k not in self.optional or v != self.optional[k]}
        return {**config, **serialize_keras_object(kept)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**(deserialize_keras_object(config) if "fn" in config else config))

    def __repr__(self) -> str:
        return f"<LossFunctionWrapper({self.fn}, kwargs={self._fn_kwargs})>"


def tensor(x: Any, dtype: str | None = None) -> Any:
    """x as a tensor of `dtype`; a placeholder of a functional model stays one."""
    if not isinstance(x, Symbolic):
        return ew.as_tensor(x, dtype)
    return x if dtype is None or ops.dtype(x) == dtype else ops.cast(x, dtype)


def pair(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Both as tensors of the prediction's dtype, as floats where that is of whole numbers: beside Python's
    floats NumPy would make doubles of them, and a compiled step would not.
    """
    y_pred = tensor(y_pred)
    dtype = ops.dtype(y_pred)
    y_true = tensor(y_true, dtype)
    return (tensor(y_true, floatx()), tensor(y_pred, floatx())) if dtypes.is_int(dtype) else (y_true, y_pred)


def standardize_reduction(reduction: str | None) -> str | None:
    known = reduction is None or isinstance(reduction, str)
    if not known or reduction not in REDUCTIONS:
        raise (ValueError if known else ArgumentError)(
            f"Invalid value for argument `reduction`. Expected one of {REDUCTIONS}. Received: "
            f"reduction={reduction}"
        )
    return reduction


def squeeze_or_expand_to_same_rank(x1: Any, x2: Any, expand_rank_1: bool = True) -> tuple[Any, Any]:
    """Both at one rank, if a last dimension of 1 is the difference: (n,) and (n, 1) become (n, 1), else it
    goes."""
    if len(x1.shape) == len(x2.shape) + 1 and x1.shape[-1] == 1:
        longer, shorter = _same_rank(x1, x2, expand_rank_1)
        return longer, shorter
    if len(x2.shape) == len(x1.shape) + 1 and x2.shape[-1] == 1:
        longer, shorter = _same_rank(x2, x1, expand_rank_1)
        return shorter, longer
    return x1, x2


def _same_rank(longer: Any, shorter: Any, expand: bool) -> tuple[Any, Any]:
    if len(shorter.shape) == 1 and expand:
        return longer, ops.expand_dims(shorter, axis=-1)
    return ops.squeeze(longer, axis=-1), shorter


def fitting(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Both, whose shapes can be broadcast together; else a BroadcastError."""
    check_broadcast(y_true, y_pred, "y_true and y_pred")
    return y_true, y_pred


def check_broadcast(a: Any, b: Any, names: str) -> None:
    """A BroadcastError unless the shapes fit; those of placeholders are looked at by the ops."""
    if not isinstance(a, Symbolic) and not isinstance(b, Symbolic):
        broadcast_shapes(a.shape, b.shape, op=names)


def joint_mask(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return ops.logical_and(a, b)


def _ratio(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0."""
    zero = ops.equal(b, 0)
    return ops.where(zero, 0, a / ops.where(zero, 1, b))


def reduce_weighted_values(
    values: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: str | None = "sum_over_batch_size",
    dtype: str | None = None,
) -> Any:
    """Loss values times weights and mask, reduced. The mean over a mask counts only what it lets through."""
    reduction = standardize_reduction(reduction)
    values = tensor(values, dtype)
    weights = apply_mask(sample_weight, mask, values.dtype, reduction)
    if weights is not None:
        values, weights = squeeze_or_expand_to_same_rank(values, tensor(weights, values.dtype))
        check_broadcast(values, weights, "the loss's values and sample_weight")
        values = values * weights
    return _reduce(values, weights, reduction)


def _reduce(values: Any, weights: Any, reduction: str | None) -> Any:
    if reduction in (None, "none") or tuple(values.shape) in ((), (0,)):
        return values
    total = ops.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weights is not None:
        return _ratio(total, ops.sum(weights))
    if isinstance(values, Symbolic):
        return ops.mean(values)
    count = product(values.shape)
    return total * 0 if count == 0 else total / tensor(count, total.dtype)


def _count(x: Any, dtype: str) -> Any:
    """How many elements x has."""
    return ops.sum(ops.ones_like(x)) if isinstance(x, Symbolic) else tensor(product(x.shape), dtype)


def apply_mask(sample_weight: Any, mask: Any, dtype: str, reduction: str | None) -> Any:
    """Weights times mask; for a mean, what the mask lets through weighs as much as all would."""
    if sample_weight is not None:
        sample_weight = tensor(sample_weight, dtype)
    if mask is None:
        return sample_weight
    kept = tensor(mask, dtype)
    if reduction in MEANS:
        kept = kept * _ratio(_count(kept, dtype), ops.sum(kept))
    if sample_weight is None:
        return kept
    kept, sample_weight = squeeze_or_expand_to_same_rank(kept, sample_weight)
    check_broadcast(kept, sample_weight, "the mask and sample_weight")
    return sample_weight * kept
