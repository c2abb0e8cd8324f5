"""Pooling to a given output size."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.layers.arguments import data_format_name, positive_int
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.layer import Layer


class BaseAdaptivePooling(Layer):
    """Base of adaptive pooling: windows that cover the input, as many as `output_size` says.

    Shapes:  channels_last: (n, d..., c) -> (n, output_size..., c).
    Args:    output_size: an int, or one for each spatial dimension.
    """

    rank: int

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.output_size = self._sizes(output_size)
        self.data_format = data_format_name(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _sizes(self, given: Any) -> tuple[int, ...]:
        several = isinstance(given, (tuple, list))
        if not several and (isinstance(given, bool) or not isinstance(given, int)):
            raise TypeError(
                f"`output_size` must be an integer or a tuple of {self.rank} integers. Received: {given} of "
                f"type {type(given)}"
            )
        sizes = tuple(given) if several else (given,) * self.rank
        if len(sizes) != self.rank:
            # Keras raises a ValueError in one dimension and a TypeError in more.
            error = ValueError if self.rank == 1 else TypeError
            raise error(f"`output_size` must have {self.rank} elements. Received: output_size={given}")
        return tuple(positive_int("output_size", n) for n in sizes)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.data_format == "channels_last":
            return (input_shape[0], *self.output_size, input_shape[-1])
        return (input_shape[0], input_shape[1], *self.output_size)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_size": self.output_size, "data_format": self.data_format}


class AdaptiveAverage(BaseAdaptivePooling):
    """The mean of each window."""

    def call(self, inputs: Any) -> Any:
        return ops.adaptive_average_pool(inputs, self.output_size, self.data_format)


class AdaptiveMax(BaseAdaptivePooling):
    """The largest element of each window."""

    def call(self, inputs: Any) -> Any:
        return ops.adaptive_max_pool(inputs, self.output_size, self.data_format)


class AdaptiveAveragePooling1D(AdaptiveAverage):
    """The mean of each of `output_size` windows: (n, steps, c) -> (n, output_size, c)."""

    rank = 1


class AdaptiveAveragePooling2D(AdaptiveAverage):
    """The mean of each of `output_size` windows: (n, h, w, c) -> (n, h', w', c).

    >>> import numpy as np
    >>> AdaptiveAveragePooling2D((3, 2))(np.ones((1, 7, 5, 4), "float32")).shape
    (1, 3, 2, 4)
    """

    rank = 2


class AdaptiveAveragePooling3D(AdaptiveAverage):
    """The mean of each of `output_size` windows: (n, d, h, w, c) -> (n, d', h', w', c)."""

    rank = 3


class AdaptiveMaxPooling1D(AdaptiveMax):
    """The largest of each of `output_size` windows: (n, steps, c) -> (n, output_size, c)."""

    rank = 1


class AdaptiveMaxPooling2D(AdaptiveMax):
    """The largest of each of `output_size` windows: (n, h, w, c) -> (n, h', w', c)."""

    rank = 2


class AdaptiveMaxPooling3D(AdaptiveMax):
    """The largest of each of `output_size` windows: (n, d, h, w, c) -> (n, d', h', w', c)."""

    rank = 3
