"""Floats as small integers with a scale: `Quantizer`, `AbsMaxQuantizer`, and the functions behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import dtypes

EPSILON = 1e-7


class Quantizer:
    """Base: a callable from a tensor to a quantized one and its scale, with `get_config`."""

    def __init__(self, output_dtype: str = "int8"):
        self.output_dtype = output_dtype

    def __call__(self, x: Any) -> Any:
        return x

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(f"{self} does not implement get_config()")


def abs_max_quantize(
    inputs: Any,
    axis: int | Sequence[int],
    value_range: tuple[int, int] = (-127, 127),
    dtype: str = "int8",
    epsilon: float = EPSILON,
    to_numpy: bool = False,
) -> tuple[Any, Any]:
    """round(inputs * scale), where scale maps the largest magnitude along `axis` to the end of the range.

    Shapes:  inputs (...) -> ints (...), scale (...) with 1 along `axis`; inputs are about ints / scale.
    Args:    value_range: the least and the largest int. dtype: of the ints. epsilon: is added to the largest
             magnitude. to_numpy: compute at once, on an array or a variable.

    >>> q, scale = abs_max_quantize(np.array([[-0.25, 1.0]], "float32"), axis=-1)
    >>> q.tolist(), round(float(scale[0, 0]), 3)
    ([[-32, 127]], 127.0)
    """
    inputs = np.asarray(inputs) if to_numpy else ops.convert_to_tensor(inputs)
    axis = tuple(axis) if isinstance(axis, list) else axis
    largest = ops.max(ops.absolute(inputs), axis=axis, keepdims=True)
    scale = ops.cast(ops.divide(value_range[1], largest + epsilon), inputs.dtype)
    rounded = ops.clip(ops.round(inputs * scale), value_range[0], value_range[1])
    return ops.cast(rounded, dtype), scale


class AbsMaxQuantizer(Quantizer):
    """`abs_max_quantize` as an object.

    Args:    axis: the axes of the largest magnitude, unless the call says which.
    Raises:  ValueError for a range that int8 does not hold.

    >>> AbsMaxQuantizer(axis=0)(np.ones((2, 3), "float32"))[0].tolist()
    [[127, 127, 127], [127, 127, 127]]
    """

    def __init__(
        self,
        axis: int | Sequence[int] | None = None,
        value_range: tuple[int, int] = (-127, 127),
        epsilon: float = EPSILON,
        output_dtype: str = "int8",
    ):
        super().__init__(output_dtype=output_dtype)
        self.axis = (axis,) if isinstance(axis, int) else None if axis is None else tuple(axis)
        self.value_range = value_range
        self.epsilon = epsilon
        if output_dtype == "int8" and (value_range[0] < -128 or value_range[1] > 127):
            raise ValueError(
                "Quantizer with output_dtype='int8' requires value_range to be within the interval "
                f"[-128, 127]. Received: value_range={value_range}"
            )

    def __call__(self, x: Any, axis: Any = None, to_numpy: bool = False) -> tuple[Any, Any]:
        """(ints, scale) along `axis`, else along the quantizer's own, else along the last."""
        axis = axis if axis is not None else self.axis if self.axis is not None else -1
        return abs_max_quantize(x, axis, self.value_range, self.output_dtype, self.epsilon, to_numpy)

    def get_config(self) -> dict[str, Any]:
        own = {"value_range": self.value_range, "epsilon": self.epsilon, "output_dtype": self.output_dtype}
        return own if self.axis is None else {**own, "axis": self.axis}


def abs_max_quantize_grouped_with_zero_point(
    inputs: Any,
    block_size: int,
    value_range: tuple[int, int] = (-8, 7),
    dtype: str = "int8",
    epsilon: float = EPSILON,
    to_numpy: bool = False,
) -> tuple[Any, Any, Any]:
    """Ints of a matrix in groups of rows, each with a scale and a zero point of its own.

    Shapes:  inputs (rows, columns) -> ints (rows, columns), scale and zero point (groups, columns), where
             groups = ceil(rows / block_size); inputs are about (ints - zero point) * scale.
    Args:    to_numpy: on an array or a variable; a group of equal numbers then keeps the scale epsilon / 15
             (without: that of the range from 1 below to 1 above them), as in Keras.

    >>> q, scale, zero = abs_max_quantize_grouped_with_zero_point(np.eye(4, dtype="float32"), block_size=2)
    >>> q.shape, scale.shape, zero.dtype.name
    ((4, 4), (2, 4), 'int8')
    """
    inputs = np.asarray(inputs) if to_numpy else ops.convert_to_tensor(inputs)
    rows, columns = inputs.shape
    groups = math.ceil(rows / block_size)
    padded = ops.pad(inputs, ((0, groups * block_size - rows), (0, 0)))
    blocks = ops.reshape(padded, (groups, block_size, columns))
    ends = blocks if to_numpy or groups > 1 else ops.expand_dims(inputs, 0)
    low, high = ops.min(ends, axis=1), ops.max(ends, axis=1)
    least, largest = value_range
    if not to_numpy:
        flat = ops.equal(low, high)
        low, high = ops.where(flat, low - 1, low), ops.where(flat, high + 1, high)
        levels = int(math.log2(largest - least + 1))
        least, largest = -(2 ** (levels - 1)), 2 ** (levels - 1) - 1
    scale = ops.divide(high - low + epsilon, largest - least)
    zero = ops.clip(ops.round(ops.divide(-low, scale)) + least, least, largest)
    ints = ops.round(ops.divide(blocks, ops.expand_dims(scale, 1))) + ops.expand_dims(zero, 1)
    ints = ops.cast(ops.clip(ints, *value_range), dtype)
    ints = ops.reshape(ints, (groups * block_size, columns))[:rows]
    return ints, ops.cast(scale, dtypes.standardize(inputs.dtype)), ops.cast(zero, "int8")


def dequantized_by_groups(ints: Any, scale: Any, zero: Any, groups: Any, axis: int) -> Any:
    """(ints - zero) * scale, where `groups` has the number of the group of each position along `axis`."""
    groups = ops.cast(groups, "int32")
    scale, zero = ops.take(scale, groups, axis=axis), ops.take(zero, groups, axis=axis)
    return scale * (ops.cast(ints, scale.dtype) - ops.cast(zero, scale.dtype))
