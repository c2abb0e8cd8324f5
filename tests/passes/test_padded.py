"""Values that have a padded copy are read from it, and not stored beside it."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.autograd.backward import gradients
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.ops.cutting import pad
from kcompile.passes import pipeline
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable
from tests.helpers import assert_as_reference

SHAPE = (7, 6, 5)
AROUND = [[0, 0], [1, 1], [2, 0], [0, 0]]


def kernel():
    return Variable(np.random.default_rng(1).normal(size=(3, 3, 5, 5)).astype("float32")).value


def block(x):
    """A residual block: the convolution reads an activation with a border, the shortcut without."""
    y = ops.relu(ops.sum(x, axis=-1, keepdims=True) + x)
    return ops.conv(pad(y, AROUND), kernel()) + y


def trained(x):
    return [block(x), *gradients(ops.sum(ops.square(block(x))), [x])]


def two_borders(x):
    """The first border keeps what all read."""
    y = ops.relu(x) + 1
    return (
        ops.conv(pad(y, AROUND), kernel()) + ops.conv(pad(y, [[0, 0], [2, 0], [0, 2], [0, 0]]), kernel()) + y
    )


CASES = {
    "block": (block, ["relu"]),
    "its gradient": (trained, ["multiply", "relu"]),
    "two borders": (two_borders, ["add"]),
    "in another shape": (
        lambda x: [block(x), ops.reshape(ops.relu(ops.sum(x, axis=-1, keepdims=True) + x), (-1, 42, 5))],
        [],
    ),
    "also an output": (lambda x: [block(x), ops.relu(ops.sum(x, axis=-1, keepdims=True) + x)], []),
    "a border of a parameter": (lambda x: ops.conv(pad(x, AROUND), kernel()) + x, []),
    "no contraction": (
        lambda x: ops.max(pad(ops.relu(x), AROUND), axis=(1, 2), keepdims=True) + ops.relu(x),
        [],
    ),
}


def graph_of(function):
    return trace(function, [make_parameter("x", TensorType((symbol("batch"), *SHAPE)))])[0]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch", [1, 9])
def test_the_same_numbers(name, batch):
    function, _ = CASES[name]
    x = np.random.default_rng(batch).normal(size=(batch, *SHAPE)).astype("float32")
    assert_as_reference(graph_of(function), x, terms=9 * 5 * 60)


@pytest.mark.parametrize("name", CASES)
def test_who_reads_the_copy(name):
    """Only the padding itself still reads what it pads."""
    function, kept = CASES[name]
    graph = pipeline.run(graph_of(function))
    paddings = [node for node in graph.nodes() if node.op.traits.pads and not any(node.attrs["inner"])]
    alone = {
        padding.inputs[0].op.name
        for padding in paddings
        if all(node is padding for node in graph.nodes() if padding.inputs[0] in node.inputs)
        and any(node.op.traits.slices for node in graph.nodes() if padding.values[0] in node.inputs)
    }
    assert alone == set(kept)


def test_a_block_stores_one_copy():
    stored = {}
    for skip in ("", "padded"):
        with config(skip=skip):
            program = compile_graph(graph_of(trained), planned=True)
        stored[skip] = sum(r.size for r in program.program.arena({"batch": 64}))
    assert stored[""] < 0.95 * stored["padded"]
