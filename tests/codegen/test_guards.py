"""Padding of few channels is copied by rows, with one test for a row and known stretches of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable

BORDERS = [((0, 1), (0, 1)), ((2, 0), (1, 3)), ((1, 1), (1, 1)), ((0, 0), (2, 2))]


def padded(height, width, channels, border, value):
    """An image with a border that lies in memory, because a convolution reads it."""

    def function(x):
        y = ops.pad(x, [(0, 0), *border, (0, 0)], constant_values=value)
        return [y, ops.conv(y, Variable(np.ones((2, 2, channels, 1), "float32")).value)]

    graph, _ = trace(function, [make_parameter("x", TensorType((symbol("batch"), height, width, channels)))])
    return compile_graph(graph)


def text_of(program):
    [spec] = [s for s in program.program.specs if "pad" in s.fused]
    return spec.source.text


@pytest.mark.parametrize("border", BORDERS, ids=str)
@pytest.mark.parametrize("channels", [1, 3, 15, 16, 40])
@pytest.mark.parametrize("value", [0.0, 2.5])
def test_values(border, channels, value):
    x = np.random.default_rng(channels).normal(size=(3, 11, 13, channels)).astype("float32")
    with config(poison=True):
        got, _ = padded(11, 13, channels, border, value)(x)
    np.testing.assert_array_equal(got, np.pad(x, [(0, 0), *border, (0, 0)], constant_values=value))


def test_pixels_of_few_channels_are_one_stretch():
    text = text_of(padded(32, 32, 3, ((1, 1), (1, 1)), 0.0))
    assert "range(3, 99)" in text  # 32 pixels behind the first one's three zeros


def test_pixels_of_many_channels_stay_apart():
    text = text_of(padded(32, 32, 16, ((1, 1), (1, 1)), 0.0))
    assert "range(16, 528)" not in text
