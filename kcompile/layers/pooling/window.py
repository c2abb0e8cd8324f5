"""Max and average pooling over windows."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.signatures import with_defaults
from kcompile.layers.arguments import data_format_name, int_tuple, padding_name
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.layer import Layer


class BasePooling(Layer):
    """Base of window pooling: the windows' size, steps (the size unless given), padding and layout."""

    rank: int

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.pool_size = int_tuple("pool_size", pool_size, self.rank)
        self.strides = int_tuple("strides", pool_size if strides is None else strides, self.rank)
        self.padding = padding_name(padding)
        self.data_format = data_format_name(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "padding": self.padding,
            "strides": self.strides,
            "data_format": self.data_format,
        }


class MaxPooling(BasePooling):
    """The largest element of each window; windows of 2 unless given."""

    __init__ = with_defaults(BasePooling.__init__, pool_size=2)

    def call(self, inputs: Any) -> Any:
        return ops.max_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class AveragePooling(BasePooling):
    """The mean of each window; padding does not count."""

    def call(self, inputs: Any) -> Any:
        return ops.average_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class MaxPooling1D(MaxPooling):
    """The largest of each window: (n, steps, c) -> (n, steps', c)."""

    rank = 1


class MaxPooling2D(MaxPooling):
    """The largest of each window: (n, h, w, c) -> (n, h', w', c).

    >>> import numpy as np
    >>> MaxPooling2D()(np.ones((1, 5, 4, 3), "float32")).shape
    (1, 2, 2, 3)
    """

    rank = 2
    __init__ = with_defaults(MaxPooling.__init__, pool_size=(2, 2))


class MaxPooling3D(MaxPooling):
    """The largest of each window: (n, d, h, w, c) -> (n, d', h', w', c)."""

    rank = 3
    __init__ = with_defaults(MaxPooling.__init__, pool_size=(2, 2, 2))


class AveragePooling1D(AveragePooling):
    """The mean of each window: (n, steps, c) -> (n, steps', c)."""

    rank = 1


class AveragePooling2D(AveragePooling):
    """The mean of each window: (n, h, w, c) -> (n, h', w', c)."""

    rank = 2


class AveragePooling3D(AveragePooling):
    """The mean of each window: (n, d, h, w, c) -> (n, d', h', w', c)."""

    rank = 3
