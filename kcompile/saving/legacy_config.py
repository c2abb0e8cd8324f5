"""Configs of the older .h5 format, with class names alone: written as Keras 3 does, read from Keras 2 too."""

from __future__ import annotations

from typing import Any

from kcompile.core.registry import published
from kcompile.trace.op_call import op_classes

Config = dict[str, Any]

ADDRESS = ("module", "registered_name", "build_config", "compile_config", "shared_object_id")

OPS = "keras.src.ops"  # the module of ops, as opposed to layers


# --- written ------------------------------------------------------------------------------------------------


def to_legacy(config: Any) -> Any:
    """A model's config with its layers in the older form: `{class_name, config}` alone.

    Ops keep their module: without it, Keras does not find them when it reads the file.
    """
    if str(config.get("module")).startswith(OPS):
        return config
    settings = dict(config["config"])
    # Layers that hold layers, as Pipeline does, write them as they are.
    if isinstance(settings.get("layers"), list) and config.get("module") != "keras.layers":
        settings["layers"] = [
            to_legacy(layer) if "config" in layer else layer for layer in settings["layers"]
        ]
    kept = {key: value for key, value in config.items() if key not in ADDRESS}
    return kept | {"class_name": config.get("registered_name") or _own_name(config), "config": settings}


def _own_name(config: Config) -> str:
    """The name of the class itself, which is seldom another than the one it is published under."""
    name = config["class_name"]
    return str(getattr(published(str(config.get("module"))).get(name), "__name__", name))


def compiled(arguments: Config, serialize: Any) -> Any:
    """Losses and metrics of `compile` in the older form: objects by class name, functions by their name."""

    def plain(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: plain(x) for key, x in item.items()}
        if isinstance(item, (list, tuple)):
            return [plain(x) for x in item]
        if item is None or isinstance(item, (str, int, float)):
            return item
        found = serialize(item)
        if found["class_name"] == "function":
            return found["config"]
        return {
            "class_name": found.get("registered_name") or found["class_name"],
            "config": found["config"],
        }

    return plain(arguments)


# --- read ---------------------------------------------------------------------------------------------------


def modern_model(config: Any) -> Any:
    """A model's config as Keras 3 writes it, from one that Keras 2 wrote; others stay as they are."""
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        return config
    settings = dict(config["config"])
    name = config.get("class_name")
    shape = settings.pop("batch_input_shape", None)
    if isinstance(shape, list):
        settings |= {"batch_shape": shape} if name == "InputLayer" else {"input_shape": shape[1:]}
    if isinstance(settings.get("axis"), list) and len(settings["axis"]) == 1:
        settings["axis"] = settings["axis"][0]
    if isinstance(settings.get("layers"), list):
        if any(_has_old_nodes(layer) for layer in settings["layers"]):
            settings |= {key: _alone(settings.get(key)) for key in ("input_layers", "output_layers")}
        settings["layers"] = [_modern_layer(layer) for layer in settings["layers"]]
    if isinstance(settings.get("layer"), dict):  # wrappers
        settings["layer"] = modern_model(settings["layer"])
    return {**config, **_home(config), "config": settings}


def _home(config: Config) -> Config:
    """The module of a layer or op: initializers and quantizers, too, have names that layers have."""
    if "module" in config:
        return {}
    if _is_op(config):
        return {"module": OPS}
    name = config.get("class_name")
    return {"module": "keras.layers"} if isinstance(name, str) and name in published("keras.layers") else {}


def _has_old_nodes(layer: Any) -> bool:
    nodes = layer.get("inbound_nodes") if isinstance(layer, dict) else None
    return isinstance(nodes, list) and any(isinstance(node, list) for node in nodes)


def _alone(places: Any) -> Any:
    """Keras 2 wrote a single input or output as a list of one."""
    return places[0] if isinstance(places, list) and len(places) == 1 else places


def _modern_layer(layer: Any) -> Any:
    found = modern_model(layer)
    if not isinstance(found, dict):
        return found
    if isinstance(found.get("inbound_nodes"), list):
        found["inbound_nodes"] = [_modern_node(node) for node in found["inbound_nodes"]]
    return found


def _is_op(layer: Config) -> bool:
    """Ops and layers share names, such as Add; only layers say whether they are trainable."""
    settings, name = layer.get("config"), layer.get("class_name")
    return isinstance(settings, dict) and "trainable" not in settings and str(name) in op_classes()


def _modern_node(node: Any) -> Any:
    """Keras 2 wrote a call as a list of its inputs, each [layer, call, position, other arguments]."""
    if not isinstance(node, list) or not all(isinstance(x, list) and len(x) in (3, 4) for x in node):
        return node
    tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": x[:3]}} for x in node]
    more: Config = next((x[3] for x in node if len(x) == 4 and x[3]), {})
    return {"args": [tensors[0] if len(tensors) == 1 else tensors], "kwargs": more}


def modern_compile(config: Any) -> Any:
    """Losses, metrics and the optimizer in the form of Keras 3."""
    if isinstance(config, list):
        found = [modern_compile(x) for x in config]
        return found[0] if len(found) == 1 and isinstance(found[0], list) else found
    if not isinstance(config, dict):
        return config
    if "class_name" not in config:
        return {key: modern_compile(x) for key, x in config.items()}
    settings = config.get("config")
    if not isinstance(settings, dict):
        return config
    if config["class_name"] == "MeanMetricWrapper" and isinstance(settings.get("fn"), str):
        return settings["fn"]
    changed = {"reduction": "sum_over_batch_size"} if settings.get("reduction") == "auto" else {}
    return {**config, "config": {k: v for k, v in settings.items() if k != "decay"} | changed}
