"""Lambda: a function as a layer."""

from __future__ import annotations

import inspect
from typing import Any

from kcompile.core import lambdas, registry, tree
from kcompile.core.errors import message
from kcompile.core.serialization import (
    collects_functions,
    deserialize_keras_object,
    serialize_keras_object,
)
from kcompile.layers.building import as_shapes, is_shape
from kcompile.layers.layer import Layer


class Lambda(Layer):
    """A function of tensors as a layer.

    A file names a named function, which loading finds if it is registered or among `custom_objects`. Of a
    lambda a file holds the bytecode, as Keras writes it; loading never runs it, and takes what
    `custom_objects` has under the layer's own name instead.

    Args:    function: takes the inputs, then `arguments` by name; also `mask` and `training` if it has such
             parameters. output_shape: what `compute_output_shape` answers: dimensions without the batch, or
             a function of the input's shape; by default the function is tried on placeholders. mask: the
             mask of the outputs, or a function (inputs, mask) -> mask. arguments: further keyword arguments.

    >>> import numpy as np
    >>> Lambda(lambda x, times: x * times, arguments={"times": 3})(np.ones((1, 2), "float32")).tolist()
    [[3.0, 3.0]]
    """

    def __init__(
        self, function: Any, output_shape: Any = None, mask: Any = None, arguments: Any = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.arguments = arguments or {}
        self.function = function
        self.mask = mask
        self.supports_masking = mask is not None
        self._output_shape = output_shape
        self._accepts = inspect.signature(function).parameters

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        more = {k: v for k, v in (("mask", mask), ("training", training)) if k in self._accepts}
        return self.function(inputs, **{**self.arguments, **more})

    def compute_output_shape(self, input_shape: Any) -> Any:
        declared = self._output_shape
        if declared is None:
            return super().compute_output_shape(input_shape)
        if callable(declared):
            return declared(input_shape)
        batch = tree.flatten(input_shape)[0]
        return _with_batch(as_shapes(declared), batch)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "function": _as_data(self.function)}
        for name, value in (("output_shape", self._output_shape), ("mask", self.mask)):
            if value is not None:
                config[name] = _as_data(value)
        return {**config, "arguments": serialize_keras_object(dict(self.arguments))}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None, safe_mode: bool | None = None
    ) -> Any:
        """A layer from its config. safe_mode changes nothing: code in a config is never run."""
        names = ("function", "mask", "output_shape", "arguments")
        made = {k: _from_data(config, k, custom_objects) for k in names if k in config}
        return cls(**{**config, **made})


def _as_data(item: Any) -> Any:
    if not lambdas.is_lambda(item) or collects_functions():
        return serialize_keras_object(item)
    code, defaults, closure = lambdas.parts_of(item)
    return {"class_name": "__lambda__", "config": {"code": code, "defaults": defaults, "closure": closure}}


def _from_data(config: dict[str, Any], part: str, custom_objects: Any) -> Any:
    """A part of a config; for a lambda the function that the caller passes under the layer's name."""
    data = config[part]
    if not isinstance(data, dict) or data.get("class_name") != "__lambda__":
        return deserialize_keras_object(data, custom_objects)
    name = str(config.get("name")) if part == "function" else f"{config.get('name')}.{part}"
    found = registry.find_custom(name, custom_objects)
    if not callable(found):
        layer = config.get("name")
        summary = f"The {part} of the Lambda layer {layer!r} is bytecode of a lambda, which is never run."
        hint = f"pass the function as custom_objects={{{name!r}: ...}}; to be rid of this, {lambdas.REMEDY}"
        raise ValueError(message(summary, hint=hint))
    return found


def _with_batch(shapes: Any, batch: Any) -> Any:
    if is_shape(shapes):
        return (batch, *shapes)
    if isinstance(shapes, dict):
        return {name: _with_batch(shape, batch) for name, shape in shapes.items()}
    return [_with_batch(shape, batch) for shape in shapes]
