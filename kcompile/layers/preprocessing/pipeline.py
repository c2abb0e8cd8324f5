"""Pipeline."""

from __future__ import annotations

from typing import Any

from kcompile.core import tree
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.layers.call_spec import signature_of
from kcompile.layers.layer import Layer
from kcompile.layers.preprocessing.graph_tensors import is_in_graph, outside_of_autograph
from kcompile.trace.masks import mask_of


class Pipeline(Layer):
    """Layers applied one after the other, usually to prepare data: a dictionary may be passed through.

    Args:    layers: a list of layers.

    >>> import numpy as np
    >>> from kcompile import layers
    >>> half = Pipeline([layers.Rescaling(1 / 255), layers.CenterCrop(1, 1)])
    >>> half(np.array([[[0.0], [255.0], [0.0]]])).tolist()
    [[[1.0]]]
    """

    _convert_input_args = False  # floats stay as they are given

    def __init__(self, layers: Any, name: str | None = None):
        super().__init__(name=name)
        self._pipeline_layers = layers

    @property
    def layers(self) -> Any:
        return self._pipeline_layers

    @outside_of_autograph
    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if is_in_graph(inputs):  # each layer has its own way of being called there
            return self.call(inputs, *args, **kwargs)
        return super().__call__(inputs, *args, **kwargs)

    def call(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        for layer in self._pipeline_layers:
            names = signature_of(getattr(layer.call, "__func__", layer.call)).names
            how: dict[str, Any] = {"mask": mask} if "mask" in names else {}
            if "training" in names and training is not None:
                how["training"] = training
            inputs = layer(inputs, **how)
            mask = tree.map_structure(mask_of, inputs)
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {"layers": serialize_keras_object(self._pipeline_layers), "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Pipeline:
        layers = config.get("layers")
        if not isinstance(layers, (list, tuple)):
            raise ValueError(
                "`Pipeline` config must contain a `layers` key mapping to a list of serialized layers. "
                f"Received config with layers={layers}."
            )
        return cls(**{**config, "layers": [deserialize_keras_object(x) for x in layers]})
