"""The older .h5 format of Keras, written: config as HDF5 attributes, weights as one group per layer."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np

from kcompile import losses
from kcompile.core.callers import users_level
from kcompile.core.serialization import serialize_keras_object
from kcompile.saving.assets import assets
from kcompile.saving.keras_file import FORMAT
from kcompile.saving.legacy_config import compiled, to_legacy
from kcompile.saving.legacy_h5 import top_level_weights, weights_of
from kcompile.saving.weights import write_array
from kcompile.trace.variable import Variable

ATTRIBUTE_LIMIT = 64512  # bytes that HDF5 takes in the header of a group
BACKEND = "jax"  # a backend that Keras knows: readers of Keras 2 compare it with theirs


def write_model(model: Any, file: BinaryIO, include_optimizer: bool = True) -> None:
    """Write a model, and if it is compiled its losses, metrics and optimizer with its state.

    Raises:  NotImplementedError for a model that has no config.
    """
    import h5py

    texts = {
        "keras_version": FORMAT,
        "backend": BACKEND,
        "model_config": json.dumps(to_legacy(serialize_keras_object(model)), allow_nan=False),
    }
    lost = sorted({holder.name for holder, _, _ in assets(model)})
    if lost:
        warnings.warn(
            "A .h5 file has no place for what layers keep in files, such as adapted vocabularies. It is "
            f"left out for: {', '.join(lost)}. A .keras file holds it.",
            stacklevel=users_level(),
        )
    optimizer = model.optimizer if include_optimizer and model.compiled else None
    if optimizer is not None:
        texts["training_config"] = json.dumps(_training_config(model), allow_nan=False)
    with h5py.File(file, "w") as root:
        for name, text in texts.items():
            root.attrs[name] = text.encode()
        _write_layers(root.create_group("model_weights"), model)
        if optimizer is not None and optimizer.variables:
            _write_variables(root.create_group("optimizer_weights"), optimizer.variables)


def _training_config(model: Any) -> dict[str, Any]:
    arguments = dict(model._training.arguments)
    optimizer = arguments.pop("optimizer")
    return {
        **compiled({**arguments, "loss": _long_names(arguments["loss"])}, serialize_keras_object),
        "optimizer_config": compiled(optimizer, serialize_keras_object),
    }


def _long_names(loss: Any) -> Any:
    """Keras reads "mean_squared_error" in such a file, but not "mse"."""
    if isinstance(loss, dict):
        return {key: _long_names(x) for key, x in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [_long_names(x) for x in loss]
    return getattr(losses.SHORT.get(loss.lower()), "__name__", loss) if isinstance(loss, str) else loss


def _write_layers(group: Any, model: Any) -> None:
    write_names(group, "layer_names", [layer.name for layer in model.layers])
    group.attrs["backend"], group.attrs["keras_version"] = BACKEND.encode(), FORMAT.encode()
    for layer in sorted(model.layers, key=lambda layer: layer.name):
        _write_variables(group.create_group(layer.name), weights_of(layer))
    _write_variables(group.create_group("top_level_model_weights"), top_level_weights(model))


def _write_variables(group: Any, variables: Iterable[Variable]) -> None:
    names: list[str] = []
    for variable in variables:
        name, count = variable.path, 0
        while name in group:  # two layers of one name, somewhere inside
            count += 1
            name = f"{variable.path}_{count}"
        array = variable.numpy()
        # This format has no bfloat16; as float32 it has the same values, and Keras reads them.
        write_array(group, name, array.astype("float32") if array.dtype.name == "bfloat16" else array)
        names.append(name)
    write_names(group, "weight_names", names)


def write_names(group: Any, attribute: str, names: list[str]) -> None:
    """A list of names as an attribute; a long one as several, which are numbered."""
    texts = np.asarray([name.encode() for name in names])
    parts = 1
    while any(part.nbytes > ATTRIBUTE_LIMIT for part in np.array_split(texts, parts)):
        parts += 1
    if parts == 1:
        group.attrs[attribute] = [name.encode() for name in names]
        return
    for k, part in enumerate(np.array_split(texts, parts)):
        group.attrs[f"{attribute}{k}"] = part
