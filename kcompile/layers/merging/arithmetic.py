"""Add, Subtract, Multiply, Average, Maximum, Minimum, and the functions of the same names."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from kcompile import ops
from kcompile.layers.merging.base import Merge


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
    """The product of the inputs."""

    def merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.multiply, inputs)


class Average(Merge):
    """The mean of the inputs."""

    def merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.add, inputs) / len(inputs)


class Maximum(Merge):
    """The largest of the inputs, elementwise."""

    def merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.maximum, inputs)


class Minimum(Merge):
    """The smallest of the inputs, elementwise."""

    def merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.minimum, inputs)


def _function(cls: type[Merge]) -> Callable[..., Any]:
    def merge(inputs: Any, **kwargs: Any) -> Any:
        return cls(**kwargs)(inputs)

    merge.__name__ = merge.__qualname__ = cls.__name__.lower()
    merge.__doc__ = cls.__doc__
    return merge


add, subtract, multiply = _function(Add), _function(Subtract), _function(Multiply)
average, maximum, minimum = _function(Average), _function(Maximum), _function(Minimum)
