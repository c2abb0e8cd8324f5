"""Extents that only a run knows: empty ones, one program for many, and what is computed from them."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.autograd.backward import gradients
from kcompile.compiler import compile_graph
from kcompile.core.errors import ShapeError
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable
from tests.schedule.test_random_graphs import compare

BATCH = symbol("batch")


def parameter(name, *shape):
    return make_parameter(name, TensorType(shape))


def dense(x):
    w = Variable(np.ones((8, 40), "float32"))
    y = ops.relu(ops.matmul(x, w.value))
    return [y, *gradients(ops.sum(ops.square(y)), [w.value, x])]


def convolution(channels, filters):
    def step(x):
        kernel = Variable(np.ones((3, 3, channels, filters), "float32"))
        y = ops.max_pool(ops.conv(x, kernel.value), 2)
        return [y, *gradients(ops.sum(y * y), [kernel.value, x])]

    return step


COMPUTATIONS = {
    "rows": ((8,), lambda x: [ops.softmax(x), ops.sum(x, axis=0), ops.mean(x, axis=1), ops.sum(x)]),
    "gram": ((8,), lambda x: ops.matmul(ops.transpose(x), x)),
    "cube": ((5, 8), lambda x: ops.einsum("bij,bik->jk", x, x)),
    "flat cube": ((1, 8), lambda x: ops.einsum("bij,bik->jk", x, x)),
    "dense": ((8,), dense),
    "convolution": ((10, 10, 3), convolution(3, 8)),
    "winograd": ((14, 14, 16), convolution(16, 32)),
}


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_an_empty_batch_among_others(name):
    """Sums over nothing are 0, whatever an earlier run has left in memory."""
    shape, function = COMPUTATIONS[name]
    graph, _ = trace(function, [parameter("x", BATCH, *shape)])
    variables = list(graph.variables.values())
    program = compile_graph(graph)
    rng = np.random.default_rng(0)
    for batch in (5, 0, 3, 0):
        x = rng.normal(size=(batch, *shape)).astype("float32")
        compare(program, graph, [x], {v.leaf: v.array for v in variables})


def pair():
    x, y = parameter("x", BATCH, 3), parameter("y", 2 * BATCH + 1, 3)
    graph, _ = trace(lambda x, y: ops.sum(x) + ops.sum(y), [x, y])
    return compile_graph(graph)


def ones(rows):
    return np.ones((rows, 3), "float32")


def test_a_derived_dimension_fits():
    program = pair()
    assert program(ones(2), ones(5))[0] == 21
    assert program(ones(3), ones(7))[0] == 30


def test_a_derived_dimension_that_does_not_fit_is_an_error():
    with pytest.raises(ShapeError, match="'y' does not have the shape"):
        pair()(ones(2), ones(4))


def test_two_inputs_of_one_batch_must_agree():
    graph, _ = trace(ops.add, [parameter("x", BATCH, 3), parameter("y", BATCH, 3)])
    with pytest.raises(ShapeError, match="'y' does not have the shape"):
        compile_graph(graph)(ones(2), ones(3))
