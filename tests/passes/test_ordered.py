"""Padded copies that are read group by group are stored group by group."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.autograd.backward import gradients
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.ops.cutting import pad
from kcompile.passes import pipeline
from kcompile.schedule.views import view_of
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable
from tests.helpers import assert_as_reference

AROUND = [[0, 0], [1, 1], [2, 0], [0, 0]]


def weights(*shape):
    return Variable(np.random.default_rng(1).normal(size=shape).astype("float32")).value


def grouped(x, groups=2, features=48, taps=(3, 3), **options):
    depth = x.shape[-1] // groups
    return ops.conv(x, weights(*taps, depth, features), padding="same", **options)


def trained(x):
    return [y := grouped(x), *gradients(ops.sum(ops.square(y)), [x])]


def read_by_others(x):
    """The copy is also summed, read without groups, and read inside of its border."""
    y = ops.relu(x) + 1
    copy = pad(y, AROUND)
    parts = ops.conv(copy, weights(3, 3, 20, 48)), ops.conv(copy, weights(3, 3, 40, 24))
    return [*parts, ops.sum(copy, axis=-1), ops.sum(y, axis=(1, 2))]


def padded_with(value):
    return lambda x: ops.conv(pad(x, AROUND, value), weights(3, 3, 20, 48))


def with_more_channels(x):
    """Channels are padded, too: they do not divide into groups before."""
    return ops.conv(pad(x, [*AROUND[:3], [2, 8]]), weights(3, 3, 20, 48))


def two_numbers_of_groups(x):
    copy = pad(x, AROUND)
    return [ops.conv(copy, weights(3, 3, 20, 48)), ops.conv(copy, weights(3, 3, 40 // 2, 40))]


def twice(x):
    y = grouped(ops.relu(grouped(x)))
    return [y, *gradients(ops.sum(y * y), [x])]


# function, shape of a sample, shapes of the padded copies after the pass, without the batch
CASES = {
    "groups": (grouped, (7, 6, 40), [(2, 9, 8, 20)]),
    "two dimensions of taps, dilated": (
        lambda x: grouped(x, dilation_rate=2),
        (7, 6, 40),
        [(2, 11, 10, 20)],
    ),
    "strides": (lambda x: grouped(x, strides=2), (7, 6, 40), [(2, 9, 7, 20)]),
    "one dimension": (lambda x: grouped(x, taps=(3,)), (9, 40), [(2, 11, 20)]),
    "three dimensions": (lambda x: grouped(x, taps=(3, 1, 3)), (4, 3, 5, 40), [(2, 6, 3, 7, 20)]),
    "as wide as a vector": (lambda x: grouped(x, 4, 64), (7, 6, 64), [(4, 9, 8, 16)]),
    "gradients": (trained, (7, 6, 40), [(2, 9, 8, 20), (2, 9, 8, 24)]),
    "no groups": (lambda x: grouped(x, 1), (7, 6, 40), [(9, 8, 40)]),
    "groups in the lanes of a vector": (lambda x: grouped(x, 4, 32), (7, 6, 32), [(9, 8, 32)]),
    "less than a line": (lambda x: grouped(x, 4, 68), (7, 6, 20), [(9, 8, 20)]),
    "read by others": (read_by_others, (7, 6, 40), [(2, 9, 8, 20)]),
    "two readers": (two_numbers_of_groups, (7, 6, 40), [(2, 9, 8, 20)]),
    "padded with a number": (padded_with(3.0), (7, 6, 40), [(2, 9, 8, 20)]),
    "padded with an infinity": (padded_with(-np.inf), (7, 6, 40), [(2, 9, 8, 20)]),
    "padded channels": (with_more_channels, (7, 6, 30), [(9, 8, 40)]),
    "twice": (twice, (7, 6, 48), None),
}


def graph_of(name):
    function, shape, _ = CASES[name]
    parameter = make_parameter("x", TensorType((symbol("batch"), *shape)))
    return trace(function, [parameter])[0]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch", [1, 9])
def test_the_same_numbers(name, batch):
    _, shape, _ = CASES[name]
    x = np.random.default_rng(batch).normal(size=(batch, *shape)).astype("float32")
    assert_as_reference(graph_of(name), x, terms=9 * 40 * 60)


@pytest.mark.parametrize("name", [name for name, (*_, stored) in CASES.items() if stored is not None])
def test_how_copies_are_stored(name):
    nodes = pipeline.run(graph_of(name)).nodes()
    bases = {view_of(v).base: None for node in nodes if node.op.traits.contraction for v in node.inputs}
    assert [v.shape[1:] for v in bases if v.op.traits.pads] == CASES[name][2]


def test_the_pass_can_be_skipped():
    with config(skip="ordered"):
        graph = pipeline.run(graph_of("groups"))
    assert [node.values[0].shape[1:] for node in graph.nodes() if node.op.traits.pads] == [(9, 8, 40)]
