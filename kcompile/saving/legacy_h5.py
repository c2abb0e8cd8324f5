"""The older .h5 format of Keras, read: config as HDF5 attributes, weights as one group per layer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.core.errors import message
from kcompile.core.serialization import deserialize_keras_object
from kcompile.saving.keras_file import build_model
from kcompile.saving.legacy_config import modern_compile, modern_model
from kcompile.saving.safe_hdf5 import Group
from kcompile.saving.safe_json import MAX_BYTES, parse, refused
from kcompile.trace.variable import Variable


def read_model(root: Group, file: str, size: int, custom_objects: Any = None, compile: bool = True) -> Any:
    """The model in an .h5 file of `size` bytes, compiled as it was, with the optimizer's state."""
    text = root.text("model_config", MAX_BYTES)
    if text is None:
        raise ValueError(
            message(
                f"{file} holds no model, only weights.", hint="build the model, then model.load_weights(file)"
            )
        )
    config = parse(text, f"{file}: model_config")
    if not isinstance(config, dict) or "class_name" not in config:
        raise refused(f"{file}: model_config", "something else", "a model")
    model = build_model(modern_model(config), size, f"{file}: model_config", custom_objects)
    read_weights(model, root, file)
    training = root.text("training_config", MAX_BYTES) if compile else None
    if training is not None:
        model.compile(**_compile_arguments(parse(training, f"{file}: training_config"), custom_objects))
        _read_optimizer(model, root.group("optimizer_weights"))
    return model


def _compile_arguments(config: dict[str, Any], custom_objects: Any) -> dict[str, Any]:
    from kcompile import optimizers

    if not isinstance(config, dict):
        raise TypeError("The training_config of an .h5 file must be a dict.")
    names = ("loss", "loss_weights", "metrics", "weighted_metrics")
    found = {
        name: deserialize_keras_object(modern_compile(config.get(name)), custom_objects) for name in names
    }
    described = modern_compile(config.get("optimizer_config"))
    return {
        **found,
        "optimizer": optimizers.deserialize(described, custom_objects) if described else "rmsprop",
    }


def _read_optimizer(model: Any, group: Group | None) -> None:
    """Load the optimizer's state; with a warning where it does not fit."""
    optimizer = model.optimizer
    if group is None or optimizer is None or not model.built:
        return
    first = [v.shape for v in optimizer.variables]  # all that it has before the first step
    optimizer.build(model.trainable_variables)
    variables = list(optimizer.variables)
    homes = [_home(group, path) for path in group.texts("weight_names")]
    shapes = [home.shape(leaf) for home, leaf in homes]
    if shapes not in ([v.shape for v in variables], first):
        warnings.warn(
            f"The state of optimizer {optimizer.name!r} is not loaded: the file holds arrays of shapes "
            f"{shapes}.",
            stacklevel=4,
        )
        return
    for variable, (home, leaf) in zip(variables, homes, strict=False):
        variable.assign(home.read(leaf, variable.shape))


def read_weights(
    model: Any, root: Group, file: str, skip_mismatch: bool = False, by_name: bool = False
) -> None:
    """Load weights layer by layer, in order, or into the layers of the same names.

    Raises:  ValueError for a different number of layers or weights, and for other shapes; nothing changes
             then.
    """
    outer = root.group("model_weights") if not root.texts("layer_names") else root
    if outer is None:
        raise refused(file, "no `layer_names`", "weights in Keras's .h5 format")
    stored = [(name, _group(outer, name)) for name in dict.fromkeys(outer.texts("layer_names"))]
    stored = [(name, group) for name, group in stored if group.texts("weight_names")]
    changes: list[Callable[[], None]] = []
    pairs = _pairs(model, stored, by_name, file)
    for layer, name, group in pairs:
        changes += _changes(layer, name, group, skip_mismatch)
    top = outer.group("top_level_model_weights")
    if top is not None and top.texts("weight_names"):
        changes += _changes(model, model.name, top, skip_mismatch, top_level_weights(model))
    for change in changes:
        change()
    for layer in dict.fromkeys(inner for found, _, _ in pairs for inner in found._flatten_layers()):
        finalize = getattr(layer, "finalize_state", None)  # of layers that compute with what weights give
        if layer.weights and finalize is not None:
            finalize()


def _pairs(
    model: Any, stored: list[tuple[str, Group]], by_name: bool, file: str
) -> list[tuple[Any, str, Group]]:
    layers = [layer for layer in model.layers if weights_of(layer)]
    if by_name:
        return [(layer, name, group) for name, group in stored for layer in layers if layer.name == name]
    if len(layers) != len(stored):
        raise ValueError(
            message(
                f"Layer count mismatch when loading weights from {file}.",
                expected=f"{len(layers)} layers: {[layer.name for layer in layers]}",
                received=f"{len(stored)} saved layers: {[name for name, _ in stored]}",
            )
        )
    return [(layer, name, group) for layer, (name, group) in zip(layers, stored, strict=True)]


def weights_of(layer: Any) -> list[Variable]:
    """A layer's weights in the order of this format: all trainable ones first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def top_level_weights(model: Any) -> list[Variable]:
    """A model's own weights, apart from those of its layers."""
    return list(model._own_variables)


def _group(outer: Group, name: str) -> Group:
    found = outer.group(name)
    if found is None:
        raise ValueError(f"The file lists the layer {name!r}, but has no weights of it.")
    return found


def _changes(
    layer: Any, name: str, group: Group, skip_mismatch: bool, weights: list[Variable] | None = None
) -> list[Callable[[], None]]:
    """What puts a group's arrays into a layer, after all shapes were compared."""
    weights = weights_of(layer) if weights is None else weights
    paths = group.texts("weight_names")
    homes = [_home(group, path) for path in paths]
    shapes = [home.shape(leaf) for home, leaf in homes]
    if shapes == [w.shape for w in weights]:
        places = list(range(len(weights)))
    elif skip_mismatch:
        places = _fitting(layer, weights, shapes)
    else:
        raise ValueError(
            message(
                f"The weights of layer {layer.name!r} (named {name!r} in the file) do not fit.",
                expected=", ".join(f"{w.name} {w.shape}" for w in weights),
                received=", ".join(f"{p} {s}" for p, s in zip(paths, shapes, strict=True)),
            )
        )
    arrays = [homes[k][0].read(homes[k][1], shapes[k]) for k in places]
    return [_assignment(weights[k], array) for k, array in zip(places, arrays, strict=True)]


def _fitting(layer: Any, weights: list[Variable], shapes: list[tuple[int, ...]]) -> list[int]:
    """Positions of the weights that can be loaded all the same; a warning names the others."""
    same = len(weights) == len(shapes)
    found = [k for k, w in enumerate(weights) if same and w.shape == shapes[k]]
    skipped = [w.path for k, w in enumerate(weights) if k not in found]
    warnings.warn(
        f"Skipping {', '.join(skipped)} of layer {layer.name!r}, because the file's arrays have the shapes "
        f"{shapes}.",
        stacklevel=6,
    )
    return found


def _home(group: Group, path: str) -> tuple[Group, str]:
    front, _, leaf = path.rpartition("/")
    home = group.group(front) if front else group
    if home is None:
        raise ValueError(f"The file lists the weight {path!r}, but does not hold it.")
    return home, leaf


def _assignment(variable: Variable, array: np.ndarray) -> Callable[[], None]:
    return lambda: variable.assign(array)
