"""Initial values that are not drawn: zeros, ones, a number or array, the identity."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.core.wholes import wholes
from kcompile.ir.types import broadcast_shapes


class Initializer:
    """Base: a callable from shape and dtype to an array, with `get_config`."""

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        raise NotImplementedError("Initializer subclasses must implement the `__call__()` method.")

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def clone(self) -> Any:
        return type(self).from_config(self.get_config())


def dims_of(shape: Any) -> tuple[int, ...]:
    """The dimensions of a shape, which may be one number.

    >>> dims_of(3), dims_of([2, 3])
    ((3,), (2, 3))
    """
    return wholes("shape", shape, least=0)


def _filled(shape: Any, value: Any, dtype: Any) -> np.ndarray:
    dims = dims_of(shape)
    if np.ndim(value):
        broadcast_shapes(np.shape(value), dims, op=f"a constant of shape {np.shape(value)}")
    return np.full(dims, value, dtypes.numpy_dtype(dtypes.standardize(dtype)))


class Zeros(Initializer):
    """All zeros."""

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        return _filled(shape, 0, dtype)


class Ones(Initializer):
    """All ones."""

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        return _filled(shape, 1, dtype)


class Constant(Initializer):
    """A number, or an array that broadcasts to the shape.

    >>> Constant(3)((2,)).tolist()
    [3.0, 3.0]
    """

    def __init__(self, value: Any = 0.0):
        self.value = value
        self.only_shape: tuple[int, ...] | None = (
            None  # of an array that a user gave in place of an initializer
        )

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        if self.only_shape not in (None, dims_of(shape)):
            raise ValueError(
                f"Expected `shape` to be {self.only_shape} for direct tensor as initializer. Received "
                f"shape={shape}"
            )
        return _filled(shape, self.value, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"value": serialize_keras_object(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(deserialize_keras_object(config["value"]))


class Identity(Initializer):
    """The identity matrix, times `gain`."""

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(
                f"Identity matrix initializer can only be used for 2D matrices. Received: shape={shape} of "
                f"rank {len(shape)}."
            )
        return (self.gain * np.eye(*shape)).astype(dtypes.numpy_dtype(dtypes.standardize(dtype)))
