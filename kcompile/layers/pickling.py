"""Copies of layers and models, by `copy.deepcopy` and `pickle`: config, classes and numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kcompile.core import registry
from kcompile.core.serialization import (
    deserialize_keras_object,
    functions_by_reference,
    serialize_keras_object,
)


def reduced(layer: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What `pickle` stores. Classes and functions of the user go by reference, as with any object."""
    with functions_by_reference() as functions:
        data = serialize_keras_object(layer)
    kept = [_kept(inner) for inner in _with_assets(layer)]
    return restored, (data, own_classes(layer) | functions, [v.numpy() for v in _state(layer)], kept)


def own_classes(layer: Any) -> dict[str, Any]:
    """The user's classes of a layer and of those inside of it, by their names in configs."""
    kinds = {type(inner) for inner in layer._flatten_layers()}
    return {registry.get_registered_name(kind): kind for kind in kinds if registry.address_of(kind) is None}


def restored(data: dict[str, Any], objects: dict[str, Any], arrays: list[np.ndarray], kept: Any = ()) -> Any:
    """A layer with its own variables, equal to the one that was reduced."""
    layer = deserialize_keras_object(data, custom_objects=objects)
    optimizer = getattr(layer, "optimizer", None)
    if optimizer is not None and len(_state(layer)) < len(arrays):
        optimizer.build(layer.trainable_variables)
    held = _state(layer)[: len(arrays)]  # an optimizer that had no slots yet has them now
    for variable, array in zip(held, arrays, strict=True):
        variable.assign(array)
    for inner, (own, files) in zip(_with_assets(layer), kept, strict=True):
        inner.load_own_variables(own)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            inner.load_assets(folder)
    return layer


def _with_assets(layer: Any) -> list[Any]:
    """The layers whose state is more than their variables."""
    return [inner for inner in layer._flatten_layers() if hasattr(inner, "save_assets")]


def _kept(layer: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What a layer writes as its variables and as its assets."""
    own: dict[str, Any] = {}
    layer.save_own_variables(own)
    with tempfile.TemporaryDirectory() as folder:
        layer.save_assets(folder)
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        return own, {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _state(layer: Any) -> list[Any]:
    optimizer = getattr(layer, "optimizer", None)
    return [*layer.variables, *(optimizer.variables if optimizer is not None else [])]
