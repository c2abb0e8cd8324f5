"""onnxruntime on the same model, written with ``onnx.helper``: inference only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks import workloads
from benchmarks.contenders import Contender
from benchmarks.peers import Call, Chunk
from benchmarks.workloads import Conv, Dense, Dropout, Flatten, MaxPool, Workload


def open_session(contender: Contender, work: Workload, threads: int) -> OnnxSession:
    del contender
    return OnnxSession(work, threads)


def build(work: Workload) -> bytes:
    """The workload as an ONNX file: images channels first, as ONNX has them."""
    graph = _Graph(workloads.initial_weights(work))
    value = "x"
    image: tuple[int, ...] = ()
    for layer, before, _ in workloads.with_shapes(work):
        match layer:
            case Dense():
                value = graph.weighted("Gemm", value, lambda kernel, image=image: _rows(kernel, image))
                image = ()
            case Conv(kernel=size):
                value = graph.weighted(
                    "Conv", value, lambda kernel: kernel.transpose(3, 2, 0, 1), kernel_shape=[size, size]
                )
            case MaxPool(size=size):
                value = graph.node("MaxPool", [value], kernel_shape=[size, size], strides=[size, size])
            case Flatten():
                image = before
                value = graph.node("Flatten", [value])
            case Dropout():
                pass
        if activation := getattr(layer, "activation", None):
            value = graph.node({"relu": "Relu", "softmax": "Softmax"}[activation], [value])
    return graph.model(value, _channels_first(work.input_shape), work.classes)


def _rows(kernel: np.ndarray, image: tuple[int, ...]) -> np.ndarray:
    if not image:
        return kernel
    # Behind Flatten the rows come channels last, and ONNX flattens channels first.
    return kernel.reshape(*image, -1).transpose(2, 0, 1, 3).reshape(math.prod(image), -1)


def _channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[2], *shape[:2]) if len(shape) == 3 else shape


class _Graph:
    """Nodes and constants under construction."""

    def __init__(self, weights: list[np.ndarray]) -> None:
        self.weights = iter(weights)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, op: str, inputs: list[str], **attributes: Any) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def weighted(self, op: str, value: str, convert: Any, **attributes: Any) -> str:
        kernel, bias = convert(next(self.weights)), next(self.weights)
        return self.node(op, [value, self.constant(kernel), self.constant(bias)], **attributes)

    def constant(self, array: np.ndarray) -> str:
        name = f"w{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def model(self, output: str, shape: tuple[int, ...], classes: int) -> bytes:
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])
        y = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", classes])
        graph = helper.make_graph(self.nodes, "workload", [x], [y], self.constants)
        opset = helper.make_opsetid("", 17)
        return helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()


class OnnxSession:
    """``InferenceSession.run`` on arrays."""

    def __init__(self, work: Workload, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.work = work
        self.session = onnxruntime.InferenceSession(build(work), options, providers=["CPUExecutionProvider"])

    def versions(self) -> dict[str, str]:
        return {"onnxruntime": onnxruntime.__version__}

    def variants(self, measure: str) -> tuple[str, ...]:
        return ("run",) if measure == "call" else ()

    def runner(self, measure: str, variant: str) -> Chunk | Call:
        x = self._input(workloads.data(self.work, 1)[0])
        return lambda: self.session.run(None, {"x": x})

    def _input(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x

    def sample(self) -> list[float]:
        return self.session.run(None, {"x": self._input(workloads.data(self.work, 4)[0])})[0].ravel().tolist()
