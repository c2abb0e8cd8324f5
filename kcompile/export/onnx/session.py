"""A file in onnxruntime, called with arrays; those of bfloat16, which its Python has not, pass as float32."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.export.onnx.emit import STATE

BFLOAT16 = dtypes.numpy_dtype("bfloat16")
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
        self._dtypes = [BFLOAT16 if "bfloat16" in one.type else None for one in self._session.get_outputs()]
        if any("bfloat16" in one.type for one in ports):
            self._session = onnxruntime.InferenceSession(_widened(path), options, providers=providers)

    def run(self, arrays: Sequence[np.ndarray] | Mapping[str, np.ndarray]) -> list[Any]:
        """The outputs for arrays in the order of the inputs, or by their names."""
        given = arrays.values() if isinstance(arrays, Mapping) else arrays
        names = list(arrays) if isinstance(arrays, Mapping) else self.names
        feed = {name: _readable(array) for name, array in zip(names, given, strict=True)}
        found = zip(self._session.run(None, feed), self._dtypes, strict=True)
        return [x if dtype is None else x.astype(dtype) for x, dtype in found]

    def typical_us(self, arrays: Sequence[np.ndarray] | Mapping[str, np.ndarray], *limits: float) -> float:
        """The median microseconds of a run; see `typical_us`."""
        return typical_us(partial(self.run, arrays), *limits)


def _readable(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == BFLOAT16 else array


def typical_us(call: Callable[[], Any], seconds: float = 0.2, most: float = 200) -> float:
    """The median microseconds of a call, over `most` calls or what `seconds` allow, and at least 3."""
    call()
    times: list[int] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or (len(times) < most and time.perf_counter() < end):
        begin = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - begin)
    return float(np.median(times) / 1e3)


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
