"""What the tests of the ONNX export share: a graph of one call, written and run with onnxruntime."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime

import kcompile
from kcompile import layers
from kcompile.core import dtypes
from kcompile.core.symbolic import symbol
from kcompile.export.onnx import OLDEST_OPSET, check, cleanup, newest_opset, schema, write
from kcompile.export.onnx.emit import emit_graph
from kcompile.ir.graph import Graph
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace

LATEST, _ = newest_opset()
IMAGE, SEQUENCE = (8, 8, 3), (6, 4)


# A process of `export/onnx/apart.py` that dies of the first file.
DIES = "import os, pickle, sys; os.write(1, pickle.dumps((None, None))); sys.stdin.read(1); os.abort()"


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


def exported(shape: tuple[int, ...], function: Callable[..., Any], path: Any, **options: Any) -> list[str]:
    """The operators of a model of one input, with weights of any numbers; onnxruntime agrees."""
    x = kcompile.Input(shape)
    model = kcompile.Model(x, function(x))
    rng = np.random.default_rng(0)
    model.set_weights([np.abs(rng.normal(size=w.shape)) * 0.3 for w in model.weights])
    model.export(path, verbose=False, **options)
    assert check(model, path) < 1e-5
    return ops_of(onnx.load(path))


def conv(x: Any, filters: int = 4, size: int = 3, **options: Any) -> Any:
    """A convolution that keeps the size of an image."""
    return layers.Conv2D(filters, size, padding="same", **options)(x)


def inferred(path: Any) -> onnx.ModelProto:
    """A file's model with the shapes of all tensors, by strict inference that follows values too."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


def opsets_for(name: str) -> list[int]:
    """The oldest, the newest, and one between them that differs from name to name: many names test all."""
    between = range(OLDEST_OPSET + 1, LATEST)
    return [OLDEST_OPSET, between[zlib.crc32(name.encode()) % len(between)], LATEST]


def with_rows(arrays: Sequence[np.ndarray], rows: int) -> list[np.ndarray]:
    """The first rows, or repeated ones."""
    return [np.resize(a, (rows, *a.shape[1:])) for a in arrays]


# Layers whose second dimension counts steps.
STEPS = """
    AdditiveAttention Attention AveragePooling1D BatchNormalization Conv1D Conv1DTranspose ConvLSTM1D
    ConvLSTM2D ConvLSTM3D Cropping1D Dense DepthwiseConv1D EinsumDense Embedding GlobalAveragePooling1D
    GlobalMaxPooling1D GRU GroupNormalization GroupQueryAttention LayerNormalization LSTM Masking MaxPooling1D
    MultiHeadAttention RMSNormalization SeparableConv1D SimpleRNN Softmax SpatialDropout1D UnitNormalization
    UpSampling1D ZeroPadding1D
"""
# Words in the names of cases that need to know how many steps there are.
FIXED = ("unroll", "bias_axes=be", "abc,bcd->ad", "ab...,bc", "axis=1", "axis=[1, 2]", "axis=[2, 1]")
FIXED += ("axis=[-1, -2]", "axis=[1, 3]", "channels_first", "attention_axes", "output_shape=(3, ")


def has_steps(case: Any) -> bool:
    """Can the number of steps of a parity case be open?"""
    deep = len(case.shapes[0]) > (1 if case.ints else 2)
    known = any(word in case.name for word in FIXED) or case.mask  # a mask has a length of its own
    return case.layer in STEPS.split() and deep and not known


def with_steps(arrays: Sequence[np.ndarray], more: int) -> list[np.ndarray]:
    """The first step repeated behind the last, `more` times."""
    return [np.concatenate([a, *[a[:, :1]] * more], axis=1) for a in arrays]


def layer_model(case: Any, open_steps: bool = False) -> Any:
    """A model of the one layer of a parity case, with the case's weights.

    open_steps: the dimension after the batch is open.
    """
    lead = (None, None) if open_steps else (None,)
    inputs = [
        kcompile.Input(batch_shape=(*lead, *s[len(lead) :]), dtype=a.dtype.name)
        for s, a in zip(case.shapes, case.inputs(), strict=True)
    ]
    layer = getattr(layers, case.layer)(**case.kwargs)
    model = kcompile.Model(inputs, layer(*case.arranged(inputs), **case.options))
    model.set_weights(case.weights([w.shape for w in model.weights]))
    return model
