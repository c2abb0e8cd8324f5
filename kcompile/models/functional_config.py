"""Functional models as data: Keras's JSON form, where layers name the calls that their inputs come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile.core import tree
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.ops.public import has_symbolic
from kcompile.trace.keras_tensor import KerasTensor
from kcompile.trace.op_call import OpCall, op_from_config
from kcompile.trace.operation import CallNode, Operation

Config = dict[str, Any]


def config_of_graph(model: Any) -> Config:
    """The parts of a functional model's config that describe its calls."""
    graph = model._graph

    def place(tensor: KerasTensor) -> list[Any]:
        operation, index, position = tensor._keras_history
        return [operation.name, graph.index_of(operation._inbound_nodes[index]), position]

    included = {id(node) for node in graph.nodes}
    layers = []
    for operation in graph.operations:
        calls = [n for n in operation._inbound_nodes if id(n) in included and not n.is_input]
        nodes = [_node_config(n, place) for n in calls]
        layers.append({**_operation_config(operation), "name": operation.name, "inbound_nodes": nodes})
    return {
        "layers": layers,
        "input_layers": _places(model._inputs_struct, place),
        "output_layers": _places(model._outputs_struct, place),
    }


def _places(structure: Any, place: Callable[[KerasTensor], list[Any]]) -> Any:
    """Where a model's inputs or outputs come from."""

    def counted(tensor: KerasTensor) -> list[Any]:
        name, index, position = place(tensor)
        return [name, index + _own_calls(tensor._keras_history[0]), position]

    return tree.map_structure(counted, structure)


def _own_calls(operation: Operation) -> int:
    """Keras counts the making of a nested functional model as its first call, at inputs and outputs alone."""
    from kcompile.models.functional import Functional

    return int(isinstance(operation, Functional))


def _operation_config(operation: Operation) -> Config:
    if not isinstance(operation, OpCall):
        return serialize_keras_object(operation)
    cls = type(operation)
    return {
        "module": cls.__module__,
        "class_name": cls.__name__,
        "config": serialize_keras_object(operation.get_config()),
        "registered_name": cls.__name__,
    }


def _node_config(node: CallNode, place: Callable[[KerasTensor], list[Any]]) -> Config:
    def leaf(x: Any) -> Any:
        if isinstance(x, KerasTensor):
            history = place(x)
            config = {"shape": x.shape, "dtype": x.dtype, "keras_history": history}
            return {"class_name": "__keras_tensor__", "config": config}
        return serialize_keras_object(x)

    return {
        "args": [tree.map_structure(leaf, a) for a in node.args],
        "kwargs": {name: tree.map_structure(leaf, a) for name, a in node.kwargs.items()},
    }


def graph_from_config(config: Config, custom_objects: Any = None) -> tuple[Any, Any]:
    """Inputs and outputs of the model that a config describes; its layers are made and called."""
    operations: dict[str, Any] = {}
    made: dict[str, list[CallNode]] = {}  # a layer that other models share has calls of theirs too
    waiting: list[tuple[str, Config]] = []
    for data in config["layers"]:
        name = data["name"]
        operations[name] = _operation_from(data, custom_objects)
        made[name] = [node for node in operations[name]._inbound_nodes if node.is_input]
        waiting.extend((name, node) for node in data["inbound_nodes"])

    def tensor_at(place: Any) -> KerasTensor | None:
        name, index, position = place
        return made[name][index].output_tensors[position] if index < len(made[name]) else None

    def call(name: str, node: Config) -> bool:
        if not _called(operations[name], node, tensor_at):
            return False
        made[name].append(operations[name]._inbound_nodes[-1])
        return True

    while waiting:
        left = [(name, node) for name, node in waiting if not call(name, node)]
        if len(left) == len(waiting):
            raise ValueError(
                f"The config of model '{config.get('name')}' has calls whose inputs nobody makes: {left}"
            )
        waiting = left

    def counted(place: Any) -> KerasTensor | None:
        name, index, position = place
        return tensor_at([name, index - _own_calls(operations[name]), position])

    return tuple(_restored(config[key], counted) for key in ("input_layers", "output_layers"))


def _operation_from(data: Config, custom_objects: Any) -> Any:
    if str(data.get("module", "")).startswith("keras.src.ops"):
        return op_from_config(data["class_name"], deserialize_keras_object(data["config"]))
    return deserialize_keras_object(data, custom_objects)


class _Missing(Exception):
    """An argument of a call is not there yet."""


def _called(operation: Any, node: Config, tensor_at: Callable[[Any], KerasTensor | None]) -> bool:
    """Make a call of the config, if its inputs are there."""

    def value(x: Any) -> Any:
        if isinstance(x, dict) and x.get("class_name") == "__keras_tensor__":
            tensor = tensor_at(x["config"]["keras_history"])
            if tensor is None:
                raise _Missing
            return tensor
        if isinstance(x, list):
            return [value(item) for item in x]
        if isinstance(x, dict) and "class_name" not in x:
            return {key: value(item) for key, item in x.items()}
        return deserialize_keras_object(x)

    try:
        args = [value(a) for a in node["args"]]
        kwargs = {name: value(a) for name, a in node["kwargs"].items()}
    except _Missing:
        return False
    if not has_symbolic([*args, *kwargs.values()]):  # it would run now, on whatever shapes a file asks for
        raise ValueError(f"The config calls '{operation.name}' without a tensor.")
    operation(*args, **kwargs)
    return True


def _restored(places: Any, tensor_at: Callable[[Any], KerasTensor | None]) -> Any:
    if isinstance(places, dict):
        return {key: _restored(p, tensor_at) for key, p in places.items()}
    if len(places) == 3 and isinstance(places[0], str):
        return tensor_at(places)
    return type(places)(_restored(p, tensor_at) for p in places)
