"""Penalties on weights and activations, added to the loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import dtypes, objects, public_names
from kcompile.core.errors import ArgumentError
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object


class Regularizer:
    """Base: a callable from a tensor to a 0-d penalty, with `get_config`."""

    def __call__(self, x: Any) -> Any:
        return 0.0

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(f"{self} does not implement get_config()")


def _penalty(name: str, value: Any) -> Any:
    if not isinstance(value, (int, float)) or value < 0 or math.isinf(value) or math.isnan(value):
        raise ValueError(
            f"Invalid value for argument {name}: expected a non-negative float. Received: {name}={value}"
        )
    return value


def _times(factor: float, total: Any, dtype: Any) -> Any:
    """The product as Keras's: an integer factor for weights of ints, and half precision stays half."""
    is_float = dtypes.is_float(dtypes.standardize(dtype))
    return ops.multiply(factor if is_float else ops.cast(factor, dtype), total)


class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x ** 2)."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1 = _penalty("l1", 0.0 if l1 is None else l1)
        self.l2 = _penalty("l2", 0.0 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        total: Any = None
        if self.l1:
            total = _times(self.l1, ops.sum(ops.absolute(x)), x.dtype)
        if self.l2:
            squares = _times(self.l2, ops.sum(ops.square(x)), x.dtype)
            total = squares if total is None else total + squares
        return ops.zeros((), x.dtype) if total is None else total

    def get_config(self) -> dict[str, Any]:
        return {"l1": float(self.l1), "l2": float(self.l2)}


class L1(Regularizer):
    """l1 * sum(|x|)."""

    def __init__(self, l1: float = 0.01):
        self.l1 = _penalty("l1", 0.01 if l1 is None else l1)

    def __call__(self, x: Any) -> Any:
        return _times(self.l1, ops.sum(ops.absolute(x)), x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {"l1": float(np.float32(self.l1))}


class L2(Regularizer):
    """l2 * sum(x ** 2).

    >>> import numpy as np
    >>> round(float(L2(0.1)(np.array([1.0, 2.0], "float32"))), 6)
    0.5
    """

    def __init__(self, l2: float = 0.01):
        self.l2 = _penalty("l2", 0.01 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        return _times(self.l2, ops.sum(ops.square(x)), x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {"l2": float(self.l2)}


class OrthogonalRegularizer(Regularizer):
    """factor * mean |cosine| between the rows (or columns) of a matrix."""

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = _penalty("factor", factor)
        if not isinstance(mode, str) or mode not in ("rows", "columns"):
            raise (ValueError if isinstance(mode, str) else ArgumentError)(
                'Invalid value for argument `mode`. Expected one of {"rows", "columns"}. '
                f"Received: mode={mode}"
            )
        self.mode = mode

    def __call__(self, inputs: Any) -> Any:
        if len(inputs.shape) != 2:
            raise ValueError(
                f"Inputs to OrthogonalRegularizer must have rank 2. Received: inputs.shape={inputs.shape}"
            )
        axis = 1 if self.mode == "rows" else 0
        norms = ops.sqrt(ops.sum(ops.square(inputs), axis=axis, keepdims=True))
        unit = ops.divide(inputs, ops.maximum(norms, 1e-12))
        count = inputs.shape[1 - axis]
        products = ops.matmul(unit, ops.transpose(unit)) if axis else ops.matmul(ops.transpose(unit), unit)
        diagonal = ops.sum(ops.square(unit), axis=axis)
        off_diagonal = ops.subtract(ops.sum(ops.absolute(products)), ops.sum(ops.absolute(diagonal)))
        return ops.divide(ops.multiply(self.factor * 0.5, off_diagonal), count * (count - 1.0) / 2.0)

    def get_config(self) -> dict[str, Any]:
        return {"factor": float(np.float32(self.factor)), "mode": self.mode}


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
_MODULE = "keras.regularizers"
_NAMES = objects.publish(_MODULE, [L1, L2, L1L2, OrthogonalRegularizer])


def get(identifier: Any) -> Any:
    """A regularizer from a name, a config, a class or a callable; None stays None."""
    return objects.get("regularizer", identifier, _NAMES, _MODULE)


def serialize(regularizer: Any) -> Any:
    return serialize_keras_object(regularizer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    return deserialize_keras_object(config, custom_objects, module=_MODULE)


__all__ = public_names.of(__name__)
