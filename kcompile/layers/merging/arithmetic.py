"""Add, Subtract, Multiply, Average, Maximum, Minimum, and the functions of the same names."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from kcompile import ops
from kcompile.layers.merging.base import Merge, spread_mask


class Add(Merge):
    """The sum of the inputs.

    >>> import numpy as np
    >>> Add()([np.ones((1, 2)), np.ones((1, 2))]).tolist()
    [[2.0, 2.0]]
    """

    def merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.add, inputs)


class Subtract(Merge):
    """The first input less the second."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ValueError(
                "A `Subtract` layer should be called on exactly 2 inputs. Received: "
                f"input_shape={input_shape}"
            )

    def merge(self, inputs: list[Any]) -> Any:
        return ops.subtract(*inputs)


class Multiply(Merge):
    """The product of the inputs. A masked step counts as 1, and as 0 where all inputs mask it."""

    def merge(self, inputs: list[Any]) -> Any:
        masks = [spread_mask(x) for x in inputs]
        kept = [x if m is None else ops.where(m, x, 1) for x, m in zip(inputs, masks, strict=True)]
        product = reduce(ops.multiply, kept)
        if any(m is None for m in masks):
            return product
        return ops.where(reduce(ops.logical_or, masks), product, 0)


class Average(Merge):
    """The mean of the inputs."""

    def merge(self, inputs: list[Any]) -> Any:
        return ops.true_divide(reduce(ops.add, inputs), len(inputs))


class Maximum(Merge):
    """The largest of the inputs, elementwise; a masked step of one gives way to the others."""

    def merge(self, inputs: list[Any]) -> Any:
        return _choose(ops.maximum, inputs)


class Minimum(Merge):
    """The smallest of the inputs, elementwise; a masked step of one gives way to the others."""

    def merge(self, inputs: list[Any]) -> Any:
        return _choose(ops.minimum, inputs)


def _choose(better: Callable[..., Any], inputs: list[Any]) -> Any:
    """The better of two, input by input. Once an input without a mask was met, nothing before it is masked
    any more, as in Keras.
    """
    best, best_mask = inputs[0], spread_mask(inputs[0])
    for x in inputs[1:]:
        mask = spread_mask(x)
        if mask is not None:
            x = ops.where(mask, x, best)
        if best_mask is not None:
            best = ops.where(best_mask, best, x)
        best_mask = None if mask is None or best_mask is None else ops.logical_or(best_mask, mask)
        best = better(best, x)
    return best


def _function(cls: type[Merge]) -> Callable[..., Any]:
    def merge(inputs: Any, **kwargs: Any) -> Any:
        return cls(**kwargs)(inputs)

    merge.__name__ = merge.__qualname__ = cls.__name__.lower()
    merge.__doc__ = cls.__doc__
    return merge


add, subtract, multiply = _function(Add), _function(Subtract), _function(Multiply)
average, maximum, minimum = _function(Average), _function(Maximum), _function(Minimum)
