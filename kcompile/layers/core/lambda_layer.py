"""Lambda and Wrapper: layers around a function or another layer."""

from __future__ import annotations

import inspect
from typing import Any

from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.layers.layer import Layer


class Lambda(Layer):
    """A function of tensors as a layer. It can be saved if the function has a registered name.

    Args:    arguments: further keyword arguments of the function. mask: a mask, or a function (inputs,
             mask) -> mask.
    """

    def __init__(
        self, function: Any, output_shape: Any = None, mask: Any = None, arguments: Any = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.function = function
        self.arguments = arguments or {}
        self.mask = mask
        self.supports_masking = mask is not None
        self._output_shape = output_shape
        self._accepts = inspect.signature(function).parameters

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        more = {k: v for k, v in (("mask", mask), ("training", training)) if k in self._accepts}
        return self.function(inputs, **{**self.arguments, **more})

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "function": serialize_keras_object(self.function)}
        if self._output_shape is not None:
            config["output_shape"] = self._output_shape
        if self.mask is not None:
            config["mask"] = serialize_keras_object(self.mask)
        return {**config, "arguments": serialize_keras_object(dict(self.arguments))}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        named: dict[str, Any] = {
            k: deserialize_keras_object(config[k]) for k in ("function", "mask") if k in config
        }
        return cls(**{**config, **named})


class Wrapper(Layer):
    """Base of layers that contain one other layer."""

    def __init__(self, layer: Layer, **kwargs: Any):
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Layer {layer} supplied to Wrapper isn't a supported layer type. Please ensure it is a "
                "Layer."
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        return self.layer(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return cls(**{**config, "layer": deserialize_keras_object(config["layer"], custom_objects)})
