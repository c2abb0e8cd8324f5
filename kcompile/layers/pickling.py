"""Copies of layers and models, by `copy.deepcopy` and `pickle`: config, classes and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.core import registry
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object


def reduced(layer: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What `pickle` stores. Classes of the user go by reference, as with any object."""
    kinds = {type(inner) for inner in layer._flatten_layers()}
    own = {registry.get_registered_name(kind): kind for kind in kinds if registry.address_of(kind) is None}
    return restored, (serialize_keras_object(layer), own, [v.numpy() for v in _state(layer)])


def restored(data: dict[str, Any], classes: dict[str, type], arrays: list[np.ndarray]) -> Any:
    """A layer with its own variables, equal to the one that was reduced."""
    layer = deserialize_keras_object(data, custom_objects=classes)
    optimizer = getattr(layer, "optimizer", None)
    if optimizer is not None and len(_state(layer)) < len(arrays):
        optimizer.build(layer.trainable_variables)
    for variable, array in zip(_state(layer), arrays, strict=True):
        variable.assign(array)
    return layer


def _state(layer: Any) -> list[Any]:
    optimizer = getattr(layer, "optimizer", None)
    return [*layer.variables, *(optimizer.variables if optimizer is not None else [])]
