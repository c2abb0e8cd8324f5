"""A workload's network as an ONNX graph: images channels first, as ONNX has them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from benchmarks import network, workloads
from benchmarks.network import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Depthwise,
    Embedding,
    Flatten,
    GlobalAverage,
    Layer,
    LayerNorm,
    Leaf,
    MaxPool,
    Positions,
    Recurrent,
    Residual,
    SelfAttention,
    Shape,
    UpSample,
)
from benchmarks.workloads import Workload

OPSET, IR_VERSION = 17, 9
MASKED = -1e9


def build(work: Workload) -> bytes:
    """The workload as an ONNX file with inputs and outputs of any batch, named x and y."""
    graph = Graph(workloads.initial_weights(work))
    y = graph.chain(work.layers, "x", work.input_shape)
    graph.nodes.append(helper.make_node("Identity", [y], ["y"]))
    kind = TensorProto.INT32 if work.vocabulary else TensorProto.FLOAT
    x_info = helper.make_tensor_value_info("x", kind, ["batch", *_turned(work.input_shape)])
    y_info = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", *_turned(work.output_shape)])
    made = helper.make_graph(graph.nodes, "workload", [x_info], [y_info], graph.constants)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(made, opset_imports=[opset], ir_version=IR_VERSION).SerializeToString()


def _turned(shape: Shape) -> Shape:
    return (shape[2], *shape[:2]) if len(shape) == 3 else shape


class Graph:
    """Nodes and constants under construction."""

    def __init__(self, weights: list[list[np.ndarray]]) -> None:
        self.weights: Iterator[list[np.ndarray]] = iter(weights)
        self.image: Shape = ()  # what Flatten has flattened, until a Dense has taken it into account
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, op: str, *inputs: str, outputs: int = 1, wanted: int = 0, **attributes: Any) -> str:
        """Adds a node and returns its output, or of several the one that is wanted."""
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names[wanted]

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"w{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array, dtype), name))
        return name

    def shape(self, *sizes: int) -> str:
        return self.constant(sizes, np.int64)

    def chain(self, layers: Iterable[Layer], x: str, shape: Shape) -> str:
        for layer in layers:
            if isinstance(layer, Residual):
                branch = self.chain(layer.branch, x, shape)
                x = self.node("Add", branch, self.chain(layer.shortcut, x, shape))
            else:
                w = next(self.weights) if network.weight_shapes(layer, shape) else []
                x = self._image(layer, x, w, shape) or self._plain(layer, x, w, shape)
                x = self._activated(getattr(layer, "activation", None), x)
            shape = network.output_shape(layer, shape)
        return x

    def _activated(self, name: str | None, x: str) -> str:
        if name is None:
            return x
        if name == "relu6":
            return self.node("Clip", x, self.constant(0.0), self.constant(6.0))
        if name == "gelu":
            erf = self.node("Erf", self.node("Mul", x, self.constant(0.5**0.5)))
            half = self.node("Mul", x, self.constant(0.5))
            return self.node("Mul", half, self.node("Add", erf, self.constant(1.0)))
        return self.node({"relu": "Relu", "softmax": "Softmax", "sigmoid": "Sigmoid"}[name], x)

    def _image(self, layer: Leaf, x: str, w: list[np.ndarray], shape: Shape) -> str:
        match layer:
            case Conv(kernel=kernel, stride=stride, same=same):
                return self._conv(x, [w[0].transpose(3, 2, 0, 1), *w[1:]], kernel, stride, same, shape)
            case Depthwise(kernel=kernel, stride=stride):
                weights = [w[0].transpose(2, 3, 0, 1)]
                return self._conv(x, weights, kernel, stride, True, shape, group=shape[2])
            case ConvTranspose(kernel=kernel, stride=stride):
                weights = [self.constant(w[0].transpose(3, 2, 0, 1)), self.constant(w[1])]
                pads = [(kernel - stride) // 2] * 4
                return self.node("ConvTranspose", x, *weights, strides=[stride] * 2, pads=pads)
            case MaxPool(size=size, same=same):
                pads = _pads(shape, size, layer.step) if same else [0] * 4
                return self.node("MaxPool", x, kernel_shape=[size] * 2, strides=[layer.step] * 2, pads=pads)
            case UpSample(size=size):
                scales = self.constant([1, 1, size, size])
                how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
                return self.node("Resize", x, "", scales, mode="nearest", **how)
            case GlobalAverage():
                return self.node("Flatten", self.node("GlobalAveragePool", x))
        return ""

    def _conv(
        self,
        x: str,
        weights: list[np.ndarray],
        kernel: int,
        stride: int,
        same: bool,
        shape: Shape,
        group: int = 1,
    ) -> str:
        pads = _pads(shape, kernel, stride) if same else [0] * 4
        constants = map(self.constant, weights)
        return self.node("Conv", x, *constants, strides=[stride] * 2, pads=pads, group=group)

    def _plain(self, layer: Leaf, x: str, w: list[np.ndarray], shape: Shape) -> str:
        match layer:
            case Dense():
                return self._dense(x, w, shape)
            case BatchNorm(epsilon=epsilon):
                return self.node("BatchNormalization", x, *map(self.constant, w), epsilon=epsilon)
            case LayerNorm(epsilon):
                return self.node("LayerNormalization", x, *map(self.constant, w), epsilon=epsilon)
            case Flatten():
                self.image = shape if len(shape) == 3 else ()
                return self.node("Flatten", x)
            case Embedding():
                return self.node("Gather", self.constant(w[0]), x)
            case Positions():
                return self.node("Add", x, self.constant(w[0]))
            case Recurrent():
                return self._recurrent(layer, x, w)
            case SelfAttention(heads):
                return self._attention(heads, x, w, shape)
        return x

    def _dense(self, x: str, w: list[np.ndarray], shape: Shape) -> str:
        kernel, bias = w
        if self.image:
            # Behind Flatten the rows come channels last, and ONNX flattens channels first.
            kernel = kernel.reshape(*self.image, -1).transpose(2, 0, 1, 3).reshape(math.prod(self.image), -1)
            self.image = ()
        if len(shape) == 1:
            return self.node("Gemm", x, self.constant(kernel), self.constant(bias))
        return self.node("Add", self.node("MatMul", x, self.constant(kernel)), self.constant(bias))

    def _recurrent(self, layer: Recurrent, x: str, w: list[np.ndarray]) -> str:
        """Gates i o f c and z r h; from (steps, batch, width) to the last output (ways, batch, units)."""
        ways = [w[i : i + 3] for i in range(0, len(w), 3)]
        order = (0, 3, 1, 2) if layer.kind == "lstm" else (0, 1, 2)

        def stacked(arrays: list[np.ndarray]) -> np.ndarray:
            parts = (np.split(array, layer.gates, -1) for array in arrays)
            return np.stack([np.concatenate([part[i] for i in order], -1) for part in parts])

        kernel, recurrent, bias = (stacked([way[i] for way in ways]) for i in range(3))
        both = np.concatenate([bias, 0 * bias], -1) if layer.kind == "lstm" else bias.reshape(len(ways), -1)
        more = {"linear_before_reset": 1} if layer.kind == "gru" else {}
        last = self.node(
            layer.kind.upper(),
            self.node("Transpose", x, perm=[1, 0, 2]),
            *map(self.constant, (kernel.swapaxes(1, 2), recurrent.swapaxes(1, 2), both)),
            outputs=2,
            wanted=1,
            hidden_size=layer.units,
            direction="bidirectional" if layer.bidirectional else "forward",
            **more,
        )
        turned = self.node("Transpose", last, perm=[1, 0, 2])
        return self.node("Reshape", turned, self.shape(0, layer.units * layer.directions))

    def _attention(self, heads: int, x: str, w: list[np.ndarray], shape: Shape) -> str:
        length, width = shape

        def projected(kernel: np.ndarray, bias: np.ndarray, perm: list[int]) -> str:
            flat = self._dense(x, [kernel.reshape(width, width), bias.reshape(width)], shape)
            parts = self.node("Reshape", flat, self.shape(0, length, heads, width // heads))
            return self.node("Transpose", parts, perm=perm)

        rows, columns = [0, 2, 1, 3], [0, 2, 3, 1]
        scale = (width // heads) ** -0.5
        query = projected(w[0] * scale, w[1] * scale, rows)
        key, value = projected(w[2], w[3], columns), projected(w[4], w[5], rows)
        mask = self.constant(np.triu(np.full((length, length), MASKED), 1))
        weights = self.node("Softmax", self.node("Add", self.node("MatMul", query, key), mask))
        seen = self.node("Transpose", self.node("MatMul", weights, value), perm=rows)
        flat = self.node("Reshape", seen, self.shape(0, length, width))
        return self._dense(flat, [w[6].reshape(width, width), w[7]], shape)


def _pads(shape: Shape, kernel: int, stride: int) -> list[int]:
    """Above, left, below, right."""
    return [
        zeros
        for ends in zip(*(network.padded(n, kernel, stride) for n in shape[:2]), strict=True)
        for zeros in ends
    ]
