"""Loops that several tests compile, and how they are run."""

from __future__ import annotations

import numpy as np

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.ir.graph import Graph
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace

RNG = np.random.default_rng(7)


def normal(*shape, dtype="float32"):
    return RNG.normal(size=shape).astype(dtype)


def lstm(x, kernel, recurrent, bias):
    """Batch-major steps, the usual cell; gives the last state and all outputs."""
    start = ops.zeros_like(ops.matmul(x[:, 0], kernel[:, : recurrent.shape[0]]))

    def step(carry, x):
        h, s = carry
        z = ops.matmul(x, kernel) + ops.matmul(h, recurrent) + bias
        i, f, g, o = ops.split(z, 4, axis=-1)
        s = ops.sigmoid(f) * s + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(s)
        return (h, s), h

    (h, s), ys = ops.scan(step, (start, start), ops.transpose(x, (1, 0, 2)))
    return h, s, ys


def lstm_arrays(batch, steps, units=5, depth=3):
    return [
        normal(batch, steps, depth), normal(depth, 4 * units) * 0.3,
        normal(units, 4 * units) * 0.3, normal(4 * units) * 0.3,
    ]  # fmt: skip


def run(case, arrays=None):

    return compile_graph(Graph(case.inputs, case.outputs))(*(case.arrays if arrays is None else arrays))


def compiled(function, *arrays):
    """The function traced and compiled, with its variables."""
    values = [make_parameter(f"x{k}", TensorType(a.shape, a.dtype.name)) for k, a in enumerate(arrays)]
    graph, _ = trace(function, values)
    return compile_graph(graph)(*arrays)
