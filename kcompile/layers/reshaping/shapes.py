"""Flatten, Reshape, Permute and RepeatVector."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from kcompile import ops
from kcompile.core.errors import ArgumentError, ShapeError
from kcompile.core.symbolic import product
from kcompile.layers.arguments import data_format_name
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.layer import Layer
from kcompile.trace.keras_tensor import known_shape


class Flatten(Layer):
    """All dimensions but the batch as one: (n, a, b, ...) -> (n, a b ...).

    Args:    data_format: "channels_first" moves the channels last before.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = data_format_name(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        if self.data_format == "channels_first" and len(inputs.shape) > 1:
            inputs = ops.transpose(inputs, (0, *range(2, len(inputs.shape)), 1))
        return ops.reshape(inputs, (inputs.shape[0], product(inputs.shape[1:])))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """The same elements in another shape; the batch stays. One dimension may be -1.

    >>> import numpy as np
    >>> Reshape((3, -1))(np.ones((2, 12))).shape
    (2, 3, 4)
    """

    def __init__(self, target_shape: Any, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(target_shape, Iterable):
            raise ArgumentError(
                f"`target_shape` must be a tuple of integers. Received: target_shape={target_shape}"
            )
        shape = tuple(target_shape)
        self._dims = tuple(-1 if d is None else d for d in shape)
        if any(isinstance(d, bool) or not hasattr(d, "__index__") or d < -1 for d in self._dims):
            raise ValueError(
                "Each dimension in `target_shape` must be a non-negative integer, or `-1` or None for a "
                f"single unknown dimension. Received: target_shape={shape}"
            )
        if self._dims.count(-1) > 1:
            raise ValueError(
                "The `target_shape` argument must not contain more than one `-1` value. Received: "
                f"target_shape={shape}"
            )
        self.target_shape = shape
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        given = known_shape(inputs.shape[1:])
        if None not in given and not self._fits(math.prod(d for d in given if d is not None)):
            raise ShapeError(
                f"The total size of the tensor must be unchanged. Received: input_shape={given}, "
                f"target_shape={self.target_shape}"
            )
        known = product(d for d in self._dims if d != -1)
        rest = product(inputs.shape[1:]) // known if known else 0
        return ops.reshape(inputs, (inputs.shape[0], *(rest if d == -1 else d for d in self._dims)))

    def _fits(self, size: int) -> bool:
        known = math.prod(d for d in self._dims if d != -1)
        return size % known == 0 if -1 in self._dims and known else size == known

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(Layer):
    """Dimensions in another order; `dims` counts from 1, without the batch.

    >>> import numpy as np
    >>> Permute((2, 1))(np.ones((5, 2, 3))).shape
    (5, 3, 2)
    """

    def __init__(self, dims: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                "Invalid permutation argument `dims` for Permute Layer. The set of indices in `dims` must "
                f"be consecutive and start from 1. Received dims={dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, (0, *self.dims))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Layer):
    """The input n times: (batch, features) -> (batch, n, features)."""

    def __init__(self, n: int, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(n, int) or isinstance(n, bool):
            raise TypeError(f"Expected an integer value for `n`, got {type(n)}.")
        if n <= 0:
            raise ValueError(f"Argument `n` should be a positive integer. Received: n={n}")
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        return ops.broadcast_to(ops.expand_dims(inputs, 1), (inputs.shape[0], self.n, inputs.shape[1]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}
