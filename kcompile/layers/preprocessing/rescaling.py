"""Rescaling."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import config
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.layers.preprocessing.data_layer import DataLayer


class Rescaling(DataLayer):
    """inputs * scale + offset, for ints too; `scale` and `offset` are numbers, or lists with one per channel.

    >>> import numpy as np
    >>> Rescaling(1 / 255)(np.array([[255]], "uint8")).tolist()
    [[1.0]]
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, self.compute_dtype)
        return x * self._per_channel(self.scale, x) + self._per_channel(self.offset, x)

    def _per_channel(self, value: Any, x: Any) -> Any:
        value = ops.cast(value, self.compute_dtype)
        if len(value.shape) == 1 and config.image_data_format() == "channels_first":
            return ops.reshape(value, (-1,) + (1,) * (len(x.shape) - 2))
        return value

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": serialize_keras_object(self.scale),
            "offset": serialize_keras_object(self.offset),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        arrays: dict[str, Any] = {
            name: deserialize_keras_object(config[name], custom_objects)
            for name in ("scale", "offset")
            if name in config
        }
        return cls(**{**config, **arrays})
