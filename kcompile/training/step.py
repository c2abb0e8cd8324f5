"""One step as a graph: forward, loss, gradients, update and metrics, of a batch or of rows that the graph
gathers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.autograd.backward import gradients
from kcompile.core import dtypes, tree
from kcompile.core.symbolic import symbol
from kcompile.ir.graph import HAS_NUMBERS, Graph, Value
from kcompile.ir.op import constant, make_parameter, unwrap
from kcompile.ir.types import Shape, TensorType
from kcompile.layers.call_spec import signature_of
from kcompile.layers.state import unique
from kcompile.ops.create import iota
from kcompile.ops.movement import or_zeros
from kcompile.trace import tracer
from kcompile.trace.recording import recorded
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable
from kcompile.training.checks import check_labels
from kcompile.training.data.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight

Structure = Any  # a tensor, or lists, tuples and dicts of tensors


@dataclass(frozen=True)
class StepGraph:
    """A traced step.

    names: of the logs, in the order of the graph's outputs; within: the names of the dicts around each of
    them. result: the form of the outputs, for predictions.
    label_ranges: (position among the flattened labels, number of classes) of labels that are class numbers.
    """

    graph: Graph
    names: tuple[str, ...] = ()
    within: tuple[tuple[str, ...], ...] = ()
    result: Structure = None
    label_ranges: tuple[tuple[int, int], ...] = ()

    def changes(self) -> list[Variable]:
        """The variables that it assigns, in the order of the trace."""
        return [v for v in self.graph.variables.values() if v.leaf in self.graph.assignments]

    def same_as(self, other: StepGraph) -> bool:
        """Is it the same computation? Nodes are interned, so equal computations are the same objects."""
        mine, theirs = self.graph, other.graph
        return (
            (self.names, self.within) == (other.names, other.within)
            and mine.inputs == theirs.inputs
            and mine.outputs == theirs.outputs
            and mine.assignments == theirs.assignments
        )


@dataclass
class Notes:
    """What a trace finds out besides its graph."""

    names: tuple[str, ...] = ()
    within: tuple[tuple[str, ...], ...] = ()
    label_ranges: tuple[tuple[int, int], ...] = ()


def parameters(data: Structure, shapes: Sequence[Shape]) -> tuple[Structure, list[Value]]:
    """A parameter of the next of these shapes for each array of a structure; None stays None."""
    found: list[Value] = []

    def parameter(array: np.ndarray | None) -> Value | None:
        if array is None:
            return None
        type_ = TensorType(tuple(shapes[len(found)]), dtypes.standardize(array.dtype))
        found.append(make_parameter(f"data{len(found)}", type_))
        return found[-1]

    leaves = [parameter(leaf) for leaf in tree.flatten(data)]
    return tree.pack_as(data, leaves), found


def default_float(structure: Structure) -> Structure:
    """Floats in the default float; ints as they are."""

    def convert(x: Value | None) -> Value | None:
        wanted = dtypes.standardize(None)
        return ops.cast(x, wanted) if x is not None and dtypes.is_float(x.dtype) and x.dtype != wanted else x

    return tree.map_structure(convert, structure)


def trace_batch(
    model: Any, kind: str, data: tuple[Structure, Structure, Structure], shapes: Sequence[Shape], alone: bool
) -> StepGraph:
    """A training or test step on one batch given as arrays; with `alone` its metrics forget earlier
    batches."""
    build(model, kind, data, shapes)
    given, inputs = parameters(list(data), shapes)
    notes = Notes()

    def run(*_: Value) -> Any:
        if alone:
            model.reset_metrics()
        return run_step(model, kind, default_float(given), notes)

    graph, _ = trace(run, inputs, name=kind)
    return StepGraph(graph, notes.names, notes.within, None, notes.label_ranges)


def trace_epoch(
    model: Any,
    kind: str,
    data: tuple[Structure, Structure, Structure],
    shapes: Sequence[Shape],
    cursor: Any,
    shuffled: bool,
) -> StepGraph:
    """A training or test step on rows of whole arrays. shapes: those of a batch.

    The graph's inputs are the arrays, (samples, ...), and with `shuffled` an int64 order of the samples. A
    run takes the `batch` rows from `cursor` on and moves the cursor behind them, so that repeating it is an
    epoch.
    """
    build(model, kind, data, shapes)
    size = shapes[0][0]
    given, inputs = parameters(list(data), [(symbol("samples"), *shape[1:]) for shape in shapes])
    order = make_parameter("order", TensorType((symbol("samples"),), "int64")) if shuffled else None
    notes = Notes()

    def run(*_: Value) -> Any:
        rows = cursor.value + iota(size, "int64")
        rows = rows if order is None else ops.take(order, rows, axis=0)
        batch = tree.map_structure(lambda a: None if a is None else ops.take(a, rows, axis=0), given)
        logs = run_step(model, kind, default_float(batch), notes)
        cursor.assign(cursor.value + ops.cast(size, "int64"))
        return logs

    graph, _ = trace(run, inputs if order is None else [*inputs, order], name=f"{kind} epoch")
    return StepGraph(graph, notes.names, notes.within, None, notes.label_ranges)


def trace_predict(model: Any, x: Structure, shapes: Sequence[Shape]) -> StepGraph:
    """The model's outputs for a batch."""
    given, inputs = parameters(x, shapes)
    graph, result = trace(
        lambda *_: model.predict_step(pack_x_y_sample_weight(default_float(given))), inputs, name="predict"
    )
    return StepGraph(graph, result=tree.map_structure(lambda _: None, result))


def build(
    model: Any, kind: str, data: tuple[Structure, Structure, Structure], shapes: Sequence[Shape]
) -> None:
    """Make what is still missing: weights, losses and metrics resolved by name, slots of the optimizer.

    A step of the model's own is run once for that, in a trace that is thrown away; one that takes a state
    finds it complete.
    """
    training = model._training
    if not is_default_step(model, kind) and not takes_state(model, kind):
        given, _ = parameters(list(data), shapes)
        with tracer.Tracer():
            run_step(model, kind, default_float(given), Notes())
        return
    if not is_built(model):
        given, _ = parameters(list(data), shapes)
        with tracer.Tracer():
            _first_look(model, given)
    if training.optimizer is not None and not training.optimizer.built:
        training.optimizer.build(model.trainable_variables)


def _first_look(model: Any, data: Structure) -> None:
    """Layers, losses and metrics see what they are built for."""
    x, y, weight = default_float(data)
    y_pred = forward(model, x, training=False)
    compute_loss(model, x, y, y_pred, weight, training=False)
    model.compute_metrics(x, y, y_pred, sample_weight=weight)


def build_with_numbers(model: Any, data: Structure) -> None:
    """Make what is missing where the model's Python needs numbers; what there was keeps its values.

    Where a model has nothing of the kind for such data, its steps do without.
    """
    before = [(v, v.numpy()) for v in owned(model)]
    with suppress(Exception):
        recorded(lambda given: _first_look(model, given), list(data))
    for variable, value in before:
        variable.write(value)


def owned(model: Any) -> list[Variable]:
    """The variables of a model, of its metrics and of its layers' metrics."""
    metrics = [*model.metrics, *(m for layer in model._flatten_layers() for m in layer._metrics)]
    return unique([*model.variables, *(v for metric in metrics for v in metric.variables)])


def is_built(model: Any) -> bool:
    """Are all layers built, and the losses and metrics resolved?"""
    training = model._training
    parts = [*model._flatten_layers(), training.compile_loss, training.compile_metrics]
    return all(part is None or part.built for part in parts)


def is_default_step(model: Any, kind: str) -> bool:
    """Is a step the one below, not overridden?"""
    own = getattr(type(model), f"{kind}_step")
    return getattr(own, "is_default", False) and f"{kind}_step" not in vars(model)


def takes_state(model: Any, kind: str) -> bool:
    """Is a step written from (state, data) to (logs, state), as Keras on JAX has it?"""
    parameters = inspect.signature(getattr(model, f"{kind}_step")).parameters.values()
    return len([p for p in parameters if p.default is p.empty]) == 2


def run_step(model: Any, kind: str, data: tuple[Structure, Structure, Structure], notes: Notes) -> list[Any]:
    """The model's own `train_step` or `test_step` on a batch; its logs as graph outputs.

    A step that takes (state, data), as Keras on JAX has it, gets and gives the variables' values.
    """
    packed = pack_x_y_sample_weight(*data)
    stateful = takes_state(model, kind)
    logs = with_state(model, kind, packed) if stateful else getattr(model, f"{kind}_step")(packed)
    if not isinstance(logs, dict):
        raise ValueError(
            f"{type(model).__name__}.{kind}_step() must return a dict of logs. "
            f"Received: {type(logs).__name__}"
        )
    notes.label_ranges = model._training.label_ranges
    flat = {path[-1]: (path, _log(path[-1], value)) for path, value in _paths(logs)}
    notes.names, notes.within = tuple(flat), tuple(path[:-1] for path, _ in flat.values())
    return [value for _, value in flat.values()]


def _paths(logs: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The logs with the names that lead to each."""
    for name, value in logs.items():
        inner = _paths(value) if isinstance(value, dict) else [((), value)]
        yield from (((name, *path), leaf) for path, leaf in inner)


def _log(name: str, value: Any) -> Any:
    """A log as a tensor."""
    value = unwrap(value)
    return value if isinstance(value, Value) else constant(ops.convert_to_tensor(value))


def train_step(model: Any, data: Any) -> dict[str, Any]:
    """Forward, loss, gradients, update, metrics. On arrays, outside of a trace, it is done at once.

    A loss with a number for each sample is differentiated as their sum, as in Keras on TensorFlow; the log is
    the mean.
    """
    scope = tracer.active()
    if scope is None:
        return recorded(lambda given: train_step(model, default_float(given)), data)[0]
    x, y, weight = unpack_x_y_sample_weight(data)
    optimizer = model.optimizer
    before = {v: scope.leaf(v) for v in model.trainable_variables}
    y_pred = forward(model, x, training=True)
    loss = _log("loss", _loss(model, x, y, y_pred, weight, training=True))
    variables = model.trainable_variables
    if variables:
        leaves = [before[v] if v in before else scope.leaf(v) for v in variables]
        found = gradients(optimizer.scale_loss(loss), leaves)
        # What no loss depends on has the gradient 0, as in Keras on JAX: it decays, and its averages go on.
        slopes = [or_zeros(g, leaf) for g, leaf in zip(found, leaves, strict=True)]
        for v, leaf in zip(variables, leaves, strict=True):
            if v.value is not leaf:
                v.assign(leaf)  # what a layer assigned held for its forward pass, as in Keras on JAX
        if not optimizer.built:
            with tracer.suspended():
                optimizer.build(variables)
        optimizer.apply(slopes, variables)
    return _finish(model, x, y, y_pred, weight, loss)


def test_step(model: Any, data: Any) -> dict[str, Any]:
    """Forward, loss, metrics."""
    x, y, weight = unpack_x_y_sample_weight(data)
    y_pred = forward(model, x, training=False)
    loss = _loss(model, x, y, y_pred, weight, training=False)
    return _finish(model, x, y, y_pred, weight, loss)


def forward(model: Any, x: Any, training: bool) -> Any:
    """The model's outputs in this mode. A `call` without the argument `training` is not told of it, as in
    Keras: what it calls does not train.
    """
    signature = signature_of(getattr(model.call, "__func__", model.call))
    return model(x, training=training) if signature.has_training else model(x)


def compute_loss(model: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
    """The model's own `compute_loss`, which may lack the argument `training`."""
    if "training" in inspect.signature(model.compute_loss).parameters:
        return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
    return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)


def _loss(
    model: Any, x: Structure, y: Structure, y_pred: Structure, weight: Structure, training: bool
) -> Any:
    """The total loss; class numbers that the model does not have are errors before anything is updated."""
    ranges = model._training.label_ranges = model._label_ranges(y, y_pred)
    labels = tree.map_structure(lambda leaf: unwrap(leaf), y)
    if all(not isinstance(leaf, Value) or leaf.node.standing == HAS_NUMBERS for leaf in tree.flatten(labels)):
        check_labels(tree.map_structure(lambda leaf: leaf if leaf is None else np.asarray(leaf), y), ranges)
    return compute_loss(model, x, y, y_pred, weight, training)


def _finish(
    model: Any, x: Structure, y: Structure, y_pred: Structure, weight: Structure, loss: Any
) -> dict[str, Any]:
    """Update the metrics; the logs."""
    size = next(leaf for leaf in tree.flatten(x) if leaf is not None).shape[0]
    model._loss_tracker.update_state(loss, sample_weight=size)
    return model.compute_metrics(x, y, y_pred, sample_weight=weight)


def with_state(model: Any, kind: str, data: Any) -> dict[str, Any]:
    """A step that maps (state, data) to (logs, new state); the state is lists of the variables' values."""
    groups = [model.trainable_variables, model.non_trainable_variables]
    if kind == "train":
        groups.append([] if model.optimizer is None else model.optimizer.variables)
    groups.append(model.metrics_variables)
    state = tuple([v.value for v in group] for group in groups)
    logs, new = getattr(model, f"{kind}_step")(state, data)
    for group, values in zip(groups, new, strict=True):
        for variable, value in zip(group, values, strict=True):
            variable.assign(value)
    return logs


def nested_logs(
    names: Sequence[str], within: Sequence[tuple[str, ...]], outputs: Sequence[np.ndarray]
) -> dict[str, Any]:
    """A step's outputs as logs, nested as the step returned them: Python floats, and arrays where a metric
    has several values.
    """
    found: dict[str, Any] = {}
    for name, path, value in zip(names, within, outputs, strict=True):
        place = found
        for outer in path:
            place = place.setdefault(outer, {})
        place[name] = value.item() if value.ndim == 0 else value
    return found


def flat_logs(logs: dict[str, Any]) -> dict[str, Any]:
    """Logs with nested ones unfolded."""
    flat: dict[str, Any] = {}
    for name, value in logs.items():
        flat.update(flat_logs(value) if isinstance(value, dict) else {name: value})
    return flat
