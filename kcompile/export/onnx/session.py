"""A file in onnxruntime, called with arrays; those of bfloat16, which its Python has not, as float32."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kcompile.export.onnx.emit import STATE

FATAL = 4  # of what onnxruntime says, only this: errors are raised, and it warns of what is no mistake


class Session:
    """Runs a file on the CPU. names, outputs: of what goes in and out, in order.

    states: which output an input takes in the next call, as the file says.

    Raises:  ImportError without onnxruntime; its own exceptions for a file that it cannot run.
    """

    def __init__(self, path: str | os.PathLike[str]):
        import onnxruntime

        providers, options = ["CPUExecutionProvider"], onnxruntime.SessionOptions()
        options.log_severity_level = FATAL
        self._session = onnxruntime.InferenceSession(os.fspath(path), options, providers=providers)
        ports = [*self._session.get_inputs(), *self._session.get_outputs()]
        self.names = [one.name for one in self._session.get_inputs()]
        self.outputs = [one.name for one in self._session.get_outputs()]
        known = self._session.get_modelmeta().custom_metadata_map
        self.states: dict[str, str] = json.loads(known.get(STATE, "{}"))
        self.is_widened = any("bfloat16" in one.type for one in ports)
        if self.is_widened:
            self._session = onnxruntime.InferenceSession(_widened(path), options, providers=providers)

    def run(self, arrays: Sequence[np.ndarray] | Mapping[str, np.ndarray]) -> list[Any]:
        """The outputs for arrays in the order of the inputs, or by their names."""
        given = arrays.values() if isinstance(arrays, Mapping) else arrays
        names = list(arrays) if isinstance(arrays, Mapping) else self.names
        feed = {name: self.readable(array) for name, array in zip(names, given, strict=True)}
        return list(self._session.run(None, feed))

    def readable(self, array: np.ndarray) -> np.ndarray:
        """What stands for an array where this session takes or gives it."""
        return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _widened(path: str | os.PathLike[str]) -> bytes:
    """The file with float32 where it takes or gives bfloat16: casts go between, under the same names."""
    import onnx

    file, half = onnx.load(os.fspath(path)), onnx.TensorProto.BFLOAT16
    graph, make = file.graph, onnx.helper.make_node
    inner = {
        port.name: f"{port.name}:bfloat16"
        for port in (*graph.input, *graph.output)
        if port.type.tensor_type.elem_type == half
    }
    for array in graph.initializer:  # of inputs that may be left out
        if array.name in inner:
            wide = onnx.numpy_helper.to_array(array).astype(np.float32)
            array.CopyFrom(onnx.numpy_helper.from_array(wide, array.name))
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [inner.get(name, name) for name in names]
    first = [make("Cast", [p.name], [inner[p.name]], to=half) for p in graph.input if p.name in inner]
    last = [make("Cast", [inner[p.name]], [p.name], to=1) for p in graph.output if p.name in inner]
    nodes = [*first, *graph.node, *last]
    del graph.node[:]
    graph.node.extend(nodes)
    for port in (*graph.input, *graph.output):
        if port.name in inner:
            port.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return bytes(file.SerializeToString())
