"""`clone_model`: the same architecture with new weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile.core import tree
from kcompile.core.registry import CustomObjectScope
from kcompile.layers.core.input_layer import Input, InputLayer
from kcompile.layers.layer import Layer
from kcompile.layers.pickling import own_classes
from kcompile.models.functional import Functional
from kcompile.models.model import Model
from kcompile.models.sequential import Sequential
from kcompile.trace.keras_tensor import KerasTensor


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Any:
    """A copy of a functional or Sequential model with new layers and newly initialized weights, compiled as
    the model is.

    Args:    input_tensors: placeholders to build on in place of new ones. clone_function: layer -> layer,
             instead of `from_config(get_config())`. call_function: (layer, *args, **kwargs) -> outputs,
             instead of calling the clone. recursive: clone nested models layer by layer too.
    """

    def copy(layer: Any) -> Any:
        if recursive and isinstance(layer, (Functional, Sequential)):
            return clone_model(layer, None, clone_function, call_function, True)
        return clone_function(layer) if clone_function is not None else _copy(layer)

    if isinstance(model, Sequential):
        return _compiled_like(model, _clone_sequential(model, copy, input_tensors))
    if isinstance(model, Functional):
        return _compiled_like(model, _clone_functional(model, copy, call_function, input_tensors))
    if not isinstance(model, Model):
        raise ValueError(f"Expected a Model. Received: {model}")
    if clone_function is not None or input_tensors is not None or call_function is not None:
        raise ValueError(
            "Arguments `clone_function`, `input_tensors` and `call_function` are only supported for "
            f"Sequential models or Functional models. Received model of type '{type(model).__name__}'."
        )
    clone = _copy(model)
    if model.built and not clone.built:
        clone.build_from_config(model.get_build_config())
    return clone


def _compiled_like(model: Any, clone: Any) -> Any:
    """The clone, with the arguments of `compile` that the model had; its optimizer is another one."""
    config = model.get_compile_config()
    if config:
        clone.compile_from_config(config)
    return clone


def _copy(layer: Any) -> Any:
    with CustomObjectScope(own_classes(layer)):  # inside of wrappers, too
        return type(layer).from_config(layer.get_config())


def _clone_sequential(model: Sequential, copy: Callable[[Any], Any], input_tensors: Any) -> Sequential:
    layers = [copy(layer) for layer in model.layers]
    given = tree.flatten(input_tensors) if input_tensors is not None else []
    if len(given) > 1:
        raise ValueError(f"Expected exactly one tensor in `input_tensors`. Received: {input_tensors}")
    first = model._stack[0] if model._stack else None
    if given:
        layers.insert(0, given[0]._keras_history[0])
    elif isinstance(first, InputLayer):
        layers.insert(0, _copy(first))
    clone = type(model)(layers, name=model.name, trainable=model.trainable)
    if not clone.built and model._functional is not None:
        clone.build(model.input_shape)
    return clone


def _clone_functional(
    model: Functional,
    copy: Callable[[Any], Any],
    call_function: Callable[..., Any] | None,
    input_tensors: Any,
) -> Any:
    fresh = tree.flatten(input_tensors) if input_tensors is not None else [_input(x) for x in model.inputs]
    if len(fresh) != len(model.inputs) or not all(isinstance(x, KerasTensor) for x in fresh):
        raise ValueError(
            f"`input_tensors` must be {len(model.inputs)} placeholders. Received: {input_tensors}"
        )
    copies: dict[Any, Any] = {}

    def call(operation: Any, args: Any, kwargs: Any) -> Any:
        if not isinstance(operation, Layer):
            return type(operation)(operation.settings, operation.name)(*args, **kwargs)
        if operation not in copies:
            copies[operation] = copy(operation)
        made = copies[operation]
        return call_function(made, *args, **kwargs) if call_function else made(*args, **kwargs)

    outputs = model._graph.run(fresh, call)
    inputs = tree.pack_as(model._inputs_struct, fresh)
    cls = type(model) if model._is_plain() else Functional
    clone = cls(inputs, tree.pack_as(model._outputs_struct, outputs), name=model.name)
    clone.__dict__["_trainable"] = model.trainable  # its layers say of themselves
    return clone


def _input(x: KerasTensor) -> KerasTensor:
    return Input(batch_shape=x.shape, dtype=x.dtype, name=x.name)
