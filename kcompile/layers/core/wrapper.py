"""Wrapper: the base of layers around another layer."""

from __future__ import annotations

from typing import Any

from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.layers.layer import Layer


class Wrapper(Layer):
    """Base of layers that contain one other layer, `self.layer`, and say in `call` what becomes of it."""

    def __init__(self, layer: Layer, **kwargs: Any):
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Layer {layer} supplied to Wrapper isn't a supported layer type. Please ensure the wrapped "
                "layer is a valid Keras layer."
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        rest = {name: value for name, value in config.items() if name != "layer"}
        return cls(deserialize_keras_object(config["layer"], custom_objects), **rest)
