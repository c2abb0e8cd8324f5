"""What the tests of the ONNX export share: a graph of one call, written and run with onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime

import kcompile
from kcompile import layers
from kcompile.core import dtypes
from kcompile.core.symbolic import symbol
from kcompile.export.onnx import cleanup, schema, write
from kcompile.export.onnx.emit import emit_graph
from kcompile.ir.graph import Graph
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace

LATEST = onnx.defs.onnx_opset_version()  # the newest that the installed onnx writes


def graph_of(function: Callable[..., Any], arrays: Sequence[np.ndarray], batch: bool = False) -> Graph:
    """The trace of function(*arrays); with `batch` the first dimension of each is open."""
    inputs = [
        make_parameter(
            f"x{k}",
            TensorType((symbol("batch"), *a.shape[1:]) if batch else a.shape, dtypes.standardize(a.dtype)),
        )
        for k, a in enumerate(arrays)
    ]
    return trace(function, inputs)[0]


def model_of(graph: Graph, opset: int = 18) -> onnx.ModelProto:
    """The cleaned-up, checked ONNX model of a graph."""
    names = [value.node.attrs["name"] for value in graph.inputs]
    made = cleanup.run(emit_graph(graph, names, [f"y{k}" for k in range(len(graph.outputs))], opset))
    constants = [schema.tensor_proto(name, array) for name, array in made.constants.items()]
    model = write.model_proto(made, graph.name, opset, constants)
    write.check(model)
    return model


def run(model: onnx.ModelProto, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """onnxruntime's results."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [one.name for one in session.get_inputs()]
    return session.run(None, {name: np.asarray(a) for name, a in zip(names, arrays, strict=True)})


def ops_of(model: onnx.ModelProto) -> list[str]:
    """The operators of a model, in order."""
    return [node.op_type for node in model.graph.node]


def layer_model(case: Any) -> Any:
    """A model of the one layer of a parity case, with the case's weights."""
    inputs = [
        kcompile.Input(batch_shape=(None, *s[1:]), dtype=a.dtype.name)
        for s, a in zip(case.shapes, case.inputs(), strict=True)
    ]
    layer = getattr(layers, case.layer)(**case.kwargs)
    model = kcompile.Model(inputs, layer(*case.arranged(inputs), **case.options))
    model.set_weights(case.weights([w.shape for w in model.weights]))
    return model
