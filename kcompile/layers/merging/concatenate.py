"""Concatenate."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.errors import AxisError
from kcompile.layers.merging.base import Merge, check_masks


class Concatenate(Merge):
    """The inputs joined along `axis`."""

    def __init__(self, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    @staticmethod
    def _check_list(input_shape: Any) -> None:
        several = isinstance(input_shape, (tuple, list)) and len(input_shape) > 0
        if not several or not isinstance(input_shape[0], (tuple, list)):
            raise ValueError(
                "A `Concatenate` layer should be called on a list of at least 1 input. Received: "
                f"input_shape={input_shape}"
            )

    def build(self, input_shape: Any) -> None:
        self._check_list(input_shape)
        ranks = {len(shape) for shape in input_shape}
        others = {tuple(self._without_axis(shape)) for shape in input_shape} if len(ranks) == 1 else set()
        known = [{d for d in dims if d is not None} for dims in zip(*others, strict=True)] if others else []
        if len(ranks) > 1 or any(len(dims) > 1 for dims in known):
            raise ValueError(
                "A `Concatenate` layer requires inputs with matching shapes except for the concatenation "
                f"axis. Received: input_shape={input_shape}"
            )

    def _without_axis(self, shape: Any) -> list[int | None]:
        rest = list(shape)
        if not -len(rest) <= self.axis < len(rest):
            raise AxisError(
                f"Layer '{self.name}': axis={self.axis} does not exist in an input of shape {shape}."
            )
        del rest[self.axis]
        return rest

    def _aligned(self, inputs: list[Any]) -> list[Any]:
        return inputs

    def merge(self, inputs: list[Any]) -> Any:
        return ops.concatenate(inputs, axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        self._check_list(input_shape)
        sizes = [shape[self.axis] for shape in input_shape]
        result = list(input_shape[0])
        result[self.axis] = None if None in sizes else sum(sizes)
        return tuple(result)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The masks joined as the inputs are, True where any feature counts; an input without a mask counts
        everywhere.
        """
        if mask is None or all(m is None for m in check_masks(inputs, mask)):
            return None
        joined = ops.concatenate([_whole(x, m) for x, m in zip(inputs, mask, strict=True)], axis=self.axis)
        return ops.any(joined, axis=-1, keepdims=False)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def _whole(x: Any, mask: Any) -> Any:
    """A mask in the shape of x."""
    if mask is None:
        return ops.ones_like(x, dtype="bool")
    if len(mask.shape) == len(x.shape):
        return mask
    return ops.logical_or(ops.expand_dims(mask, axis=-1), ops.zeros_like(x, dtype="bool"))


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """The inputs joined along `axis`."""
    return Concatenate(axis=axis, **kwargs)(inputs)
