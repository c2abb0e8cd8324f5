"""The calls of a functional model that are made on the host, before its compiled program.

Text exists on the host only, so a model over text is cut in two. The calls that text goes into, and those of
layers that say `runs_on_host`, are made op by op on arrays; what they return, and the inputs that the rest
of the model reads itself, are the inputs of the compiled program. The cut lies where values go from one part
to the other: no layer is known here, only dtypes of placeholders and what layers say of themselves. Nested
functional models over text are taken apart first, so that what they compute behind the cut is compiled too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import dtypes, tree
from kcompile.core.errors import DTypeError, message
from kcompile.layers.input_spec import Checked
from kcompile.models.call_graph import CallGraph
from kcompile.trace import tracer
from kcompile.trace.keras_tensor import KerasTensor
from kcompile.trace.operation import CallNode

MOST_BYTES = 1 << 28  # of a whole data set that is put through the stage at once


class Staged(Checked):
    """What the host stage leaves of a model's inputs: arrays, or values that stand for them in a trace."""


class HostStage:
    """Called with a model's inputs (a flat list of arrays) it returns what the compiled part takes.

    inputs: the placeholders that the compiled part begins at.
    """

    def __init__(self, graph: CallGraph):
        graph = taken_apart(graph)
        on_host = _made_on_host(graph)
        compiled = [node for node in graph.nodes if not _all_known(node.output_tensors, on_host)]
        read = [t for node in compiled for t in node.input_tensors]
        ends = {id(t): t for t in [*read, *graph.outputs] if id(t) in on_host}
        self.inputs: list[Any] = list(ends.values())
        for tensor in self.inputs:
            if tensor.dtype == dtypes.STRING:
                raise _text_behind(tensor)
        self._before = CallGraph(graph.inputs, self.inputs, unique_names=False)
        self._after = CallGraph(self.inputs, graph.outputs, unique_names=False)

    def __call__(self, arrays: list[Any]) -> Staged:
        with tracer.suspended():
            return Staged(self._before.run(arrays, caller(None)))

    def finish(self, values: Staged, training: Any) -> list[Any]:
        """The model's outputs, a flat list."""
        given = [fitted_dtype(x, wanted) for x, wanted in zip(values, self.inputs, strict=True)]
        return self._after.run(given, caller(training))

    def compiled_model(self, make: Callable[..., Any], name: str) -> Any:
        """The part behind the cut as a model of its own; make(inputs, outputs, name=...) is its class."""
        return make(self._after.inputs, self._after.outputs, name=name)

    def is_fixed(self, samples: int) -> bool:
        """Is what it returns for rows the same whatever rows come with them, and small for all of them?

        Where a dimension is open (texts padded to the longest of a batch), batches differ.
        """
        size = 0
        for tensor in self.inputs:
            if None in tensor.shape[1:]:
                return False
            size += samples * int(np.prod(tensor.shape[1:])) * dtypes.itemsize(tensor.dtype)
        return size <= MOST_BYTES


def stage_of(graph: CallGraph) -> HostStage | None:
    """The host stage of a model, None if all of it can be compiled."""
    wanted = any(_has_text(node) or _asks_for_host(node) for node in graph.nodes)
    return HostStage(graph) if wanted or any(_is_text(x) for x in graph.inputs) else None


def compiled_part(model: Any) -> Any:
    """What of a model is compiled: a model over text without the calls that are made on the host."""
    functional = getattr(model, "_functional", None) or model
    stage = functional._host_stage() if hasattr(functional, "_host_stage") else None
    return model if stage is None else stage.compiled_model(type(functional), model.name)


def caller(training: Any) -> Callable[..., Any]:
    """Calls an operation, with `training` if that is given and the operation takes it."""

    def call(operation: Any, args: Any, kwargs: Any) -> Any:
        if training is not None and getattr(operation, "call_has_training", False):
            kwargs = {**kwargs, "training": training}
        return operation(*args, **kwargs)

    return call


def host_array(x: Any) -> Any:
    """Anything array-like as a NumPy array; None stays."""
    return x if x is None or isinstance(x, np.ndarray) else np.asarray(x)


def fitted_dtype(x: Any, wanted: KerasTensor) -> Any:
    """A value in the dtype of its placeholder.

    Raises:  DTypeError for text in the place of numbers and the other way round.
    """
    if x is None:  # an optional input
        return None
    if dtypes.is_text(x) == (wanted.dtype == dtypes.STRING):
        return x if wanted.dtype == dtypes.STRING else ops.cast(x, wanted.dtype)
    name = getattr(wanted._keras_history[0], "name", wanted.name)
    hint = "a placeholder for text is Input(..., dtype='string')"
    raise DTypeError(
        message(f"Input '{name}' takes {wanted.dtype}.", received=f"an array of {x.dtype}", hint=hint)
    )


def _is_text(tensor: Any) -> bool:
    return tensor.dtype == dtypes.STRING


def _has_text(node: CallNode) -> bool:
    return not node.is_input and any(_is_text(t) for t in [*node.input_tensors, *node.output_tensors])


def _asks_for_host(node: CallNode) -> bool:
    return not node.is_input and getattr(node.operation, "runs_on_host", False)


def _all_known(tensors: list[Any], known: set[int]) -> bool:
    return all(id(t) in known for t in tensors)


def _made_on_host(graph: CallGraph) -> set[int]:
    """The ids of the placeholders that the host has numbers or text for: inputs, and results of host calls.

    A call on text brings the calls along that its other inputs come from, if nothing is trained in them.
    """
    makers = {id(t): node for node in graph.nodes for t in node.output_tensors}
    known = {id(x) for x in graph.inputs}

    def bring(node: CallNode) -> None:
        for t in node.input_tensors:
            if id(t) not in known:
                bring(makers[id(t)])
        if getattr(node.operation, "weights", None) and not _has_text(node):
            raise _text_behind(node)
        known.update(id(t) for t in node.output_tensors)

    for node in graph.nodes:
        if _has_text(node):
            bring(node)
        elif _asks_for_host(node) and _all_known(node.input_tensors, known):
            known.update(id(t) for t in node.output_tensors)
    return known


def _text_behind(where: Any) -> DTypeError:
    made = f"{where}" if isinstance(where, KerasTensor) else f"text made from '{where.operation.name}'"
    return DTypeError(
        message(
            "A compiled model can take text, but not make any: text is handled before the compiled part.",
            received=made,
            hint="let the model return numbers, and call the layer that makes text on them",
        )
    )


def taken_apart(graph: CallGraph) -> CallGraph:
    """The same calls, with those of nested functional models over text in the place of the models."""
    if not any(_has_text(node) and _inner(node) is not None for node in graph.nodes):
        return graph
    outputs = _calls_again(graph, list(graph.inputs))
    return CallGraph(graph.inputs, outputs, unique_names=False)


def _calls_again(graph: CallGraph, inputs: list[KerasTensor]) -> list[KerasTensor]:
    values: dict[int, Any] = {id(x): new for x, new in zip(graph.inputs, inputs, strict=True)}
    for node in graph.nodes:
        if node.is_input or _all_known(node.output_tensors, set(values)):
            continue
        args, kwargs = node.fill(values)
        inner = _inner(node) if _has_text(node) else None
        if inner is None:
            made = tree.flatten(node.operation(*args, **kwargs))
        else:
            made = _calls_again(inner, node.operation._flat(args[0]))
        values.update((id(old), new) for old, new in zip(node.output_tensors, made, strict=True))
    return [values[id(x)] for x in graph.outputs]


def _inner(node: CallNode) -> CallGraph | None:
    """The graph of a nested functional model."""
    calls = getattr(node.operation, "_inner_calls", None)
    return None if calls is None else calls()
