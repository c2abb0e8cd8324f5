"""A whole training step as one plain ONNX graph: forward, loss, gradients, update of the optimizer.

Weights and the optimizer's state come in as inputs, under the variables' paths, and go out as `<path>.next`.
The values that they have now are stored as the inputs' defaults, so the first step can be run on a batch
alone; each following step is fed what the one before returned.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from kcompile.core import open_extents, tree
from kcompile.core.errors import message
from kcompile.export.onnx.builder import Builder
from kcompile.export.onnx.emit import NEXT, Emitter, UnsupportedOps, state_property
from kcompile.export.onnx.graph import OnnxGraph, OnnxNode
from kcompile.export.onnx.inputs import arguments_of
from kcompile.export.onnx.labels import SAMPLES, Labels, candidates, of_signature
from kcompile.export.onnx.signature import default_signature, make_spec, refuse_text, trace_inference
from kcompile.export.onnx.sizes import sizes_of
from kcompile.ir.graph import Graph, Value, topological
from kcompile.models.host_stage import Staged, compiled_part
from kcompile.training import step
from kcompile.training.step import StepGraph

HINT = (
    "another opset; a model without layers that draw random numbers (dropout with rate 0); an "
    "`input_signature` without open sizes"
)
HINT_OF_TEXT = "a training step begins behind the text: say what the layers for text give, or leave it out"


def export_training_step(
    model: Any, filepath: str | os.PathLike[str], input_signature: Any, opset: int, external_data: bool
) -> None:
    """Write the training step of a compiled model.

    Inputs: the model's, then `y` (or `y_0`, `y_1` ... of several outputs, `y_<key>` of a dict of them; or as
    a second structure of the signature says), then all variables that the step reads. Outputs: `loss` and
    the metrics of this batch, then the new values.

    Raises:  ValueError for a model that is not compiled; UnsupportedOps, as of the inference call (dropout:
             ONNX's random operators do not draw by counter).
    """
    from kcompile.export.onnx import cleanup, write
    from kcompile.export.onnx.notes import annotate

    if not model.compiled:
        raise ValueError(
            message(
                f"Model {model.name!r} is not compiled, so it has no training step to export.",
                hint="call compile(optimizer, loss) first, or leave out training=True",
            )
        )
    traced, inputs = trace_step(model, input_signature)
    made = emit_step(traced, inputs, _metric_ids(model), opset)
    properties = state_property(made.outputs)
    made = cleanup.run(made)
    annotate(made, model.name, "Training step")
    write.write(made, filepath, f"{model.name}_training", opset, external_data, properties)


def trace_step(model: Any, input_signature: Any = None) -> tuple[StepGraph, list[str]]:
    """The step on a batch, and the names of its inputs. Dimensions that the model leaves open stay open.

    The step of a model over text begins behind the calls that are made on the host: it takes what these give.

    Args:    input_signature: one structure for the inputs, if wanted a second one for the labels, and a third
             one for the samples' weights, which come in as `sample_weight`.
    """
    part = compiled_part(model)
    if part is not model and input_signature is not None:
        refuse_text(
            model, [make_spec(x, k) for k, x in enumerate(tree.flatten(input_signature))], HINT_OF_TEXT
        )
    structures = list(input_signature or default_signature(part))
    if part is not model and input_signature is None:
        structures = [_named_by_layers(structures[0], model)]
    given_weights = structures.pop() if input_signature is not None and len(structures) == 3 else None
    wanted = structures.pop() if input_signature is not None and len(structures) == 2 else None
    if len(structures) != 1:
        raise ValueError("A training step takes a structure of inputs, one of labels and one of weights.")
    traced = trace_inference(part, structures)
    size, _ = sizes_of(part, traced, SAMPLES)
    (x,) = arguments_of(traced, SAMPLES, np.random.default_rng(0), size)
    outputs = [np.asarray(leaf) for leaf in tree.flatten(part(x, training=False)) if leaf is not None]
    x = x if part is model else Staged(tree.flatten(x))
    given, wrong = [tuple(value.shape) for value in traced.graph.inputs], None
    weighting = [Labels(None, [], [])]
    if given_weights is not None:
        weighting = list(of_signature(given_weights, traced, "sample_weight"))
        weighting.reverse()  # dimensions of their own are the exception
    made = candidates(model, outputs, traced, wanted)
    # Where open extents meet known ones: gradients cannot tell at run time what was broadcast, so tables that
    # are cut to an open extent are taken to be long enough, as the file's runtime will see.
    way = open_extents.within_tables if traced.broadcasts else nullcontext
    for labels, weights in ((a, b) for a in made for b in weighting):
        try:
            shapes = [*given, *labels.shapes, *weights.shapes]
            with way():
                found = step.trace_batch(model, "train", (x, labels.y, weights.y), shapes, alone=True)
            return found, [*traced.inputs, *labels.names, *weights.names]
        except ValueError as error:  # of shapes too; the loss wants labels of another form
            # What is wrong tells the likeliest try: the first, or the last of labels that were given.
            wrong = error if wrong is None or wanted is not None else wrong
    assert wrong is not None
    raise wrong


def _named_by_layers(structure: Any, model: Any) -> Any:
    """The inputs behind the text, under the names of the layers that make them, or of the model's inputs."""
    functional = getattr(model, "_functional", None) or model
    made_by = [x._keras_history[0] for x in functional._host_stage().inputs]
    named = zip(tree.flatten(structure), made_by, strict=True)
    return tree.pack_as(structure, [replace(make_spec(x, 0), name=layer.name) for x, layer in named])


def _metric_ids(model: Any) -> set[int]:
    """Variables that only count over batches; the step's logs are those of its own batch."""
    return {id(v) for v in model.metrics_variables} | {id(v) for v in model._loss_tracker.variables}


def emit_step(traced: StepGraph, inputs: Sequence[str], without: set[int], opset: int) -> OnnxGraph:
    """The ONNX graph of a step. without: ids of variables whose new values are not wanted."""
    graph = traced.graph
    kept = {
        leaf: value
        for leaf, value in graph.assignments.items()
        if id(graph.variables[leaf.node.attrs["uid"]]) not in without
    }
    g = Builder(opset)
    emitter = Emitter(graph, g, constant_weights=False)
    shown = {}
    for value, wish in zip(graph.inputs, inputs, strict=True):
        emitter.names[value] = name = g.input(wish, value.type)
        shown[name] = value.type
    roots = [*graph.outputs, *kept.values()]
    defaults = {}
    for leaf in dict.fromkeys([*_read(graph, roots), *kept]):
        variable = graph.variables[leaf.node.attrs["uid"]]
        emitter.names[leaf] = name = g.input(variable.path, leaf.type)
        shown[name] = leaf.type
        defaults[name] = np.array(variable.array)
    results = [g.name(wish) for wish in traced.names]
    results += [g.name(f"{emitter.names[leaf]}{NEXT}") for leaf in kept]
    emitter.emit(roots)
    if emitter.unsupported:
        raise UnsupportedOps(list(emitter.unsupported), opset, HINT)
    for value, name in zip(roots, results, strict=True):
        g.nodes.append(OnnxNode("Identity", (emitter.names[value],), (name,)))
    types = {name: value.type for value, name in zip(roots, results, strict=True)}
    return OnnxGraph(
        shown, types, g.nodes, g.constants, g.types, defaults=defaults, opset=opset, extents=g.extents
    )


def _read(graph: Graph, roots: list[Value]) -> list[Value]:
    """The variables that the roots depend on."""
    return [node.values[0] for node in topological(roots) if node.op.name == "variable"]
