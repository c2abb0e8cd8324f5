"""Steps of a stencil taken together: whole and broken groups of them, and what shares too little."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kcompile import ops
from kcompile.autograd.backward import gradients
from kcompile.codegen.jam import MOST_TAPS, STEPS
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable
from tests.helpers import assert_close

BATCH = symbol("batch")
SIDE = 32  # of images whose sums are shared out


def depthwise(size, channels, strides=1, window=3):
    shape = (window, window, channels, 1)
    kernel = Variable(np.random.default_rng(channels).normal(size=shape).astype("float32"))
    return (size, channels), lambda x: ops.relu(ops.depthwise_conv(x, kernel.value, strides=strides))


def average(size, channels):
    return (size, channels), lambda x: ops.average_pool(x, 3, strides=1)


def program_of(case):
    (size, channels), function = case
    graph, _ = trace(function, [make_parameter("x", TensorType((BATCH, size, size, channels)))])
    return compile_graph(graph)


def is_jammed(program, steps=STEPS):
    """Is there a loop that takes so many steps at a time?"""
    found = [re.search(rf"range\(0, \w+, {steps}\)", spec.source.text) for spec in program.program.specs]
    return any(found)


@pytest.mark.parametrize("width", range(1, 2 * STEPS + 2))
def test_any_width(width):
    """Of the output; channels are no multiple of any vector."""
    case = depthwise(width + 2, 19)
    program = program_of(case)
    assert is_jammed(program) or width == 1
    x = np.random.default_rng(width).normal(size=(5, width + 2, width + 2, 19)).astype("float32")
    with config(target="reference"):
        want = program_of(case)(x)
    assert_close(program(x)[0], want[0], terms=9)


OTHERS = {
    "strides": (depthwise(13, 8, strides=2), True),
    "two taps a side": (depthwise(9, 40, window=2), True),
    "a window of 25 taps": (depthwise(11, 40, window=5), True),
    "a window too large to be written out": (depthwise(13, 40, window=7), True),
    "pixels and channels that are one axis": (average(9, 32), False),
    "a window of one tap": (depthwise(9, 32, window=1), False),
}


@pytest.mark.parametrize("name", OTHERS)
def test_others(name):
    case, jams = OTHERS[name]
    program = program_of(case)
    assert is_jammed(program) == jams
    (size, channels), _ = case
    x = np.random.default_rng(3).normal(size=(2, size, size, channels)).astype("float32")
    with config(target="reference"):
        want = program_of(case)(x)
    assert_close(program(x)[0], want[0], terms=49)


@pytest.mark.parametrize(
    ("window", "channels", "strides"),
    [
        ((2, 2), 5, 1), ((3, 3), 19, 1), ((3, 3), 150, 1), ((3, 3), 16, 2), ((2, 4), 33, 1), ((4, 2), 16, 1),
        ((5, 5), 32, 1), ((7, 7), 20, 1), ((2, 5), 16, 1), ((3, 1), 16, 1),
    ],
)  # fmt: skip
def test_sums_down_columns(window, channels, strides):
    """The gradient of the taps: each pass over the images serves several of them, of small windows all."""
    kernel = Variable(np.random.default_rng(4).normal(size=(*window, channels, 1)).astype("float32"))

    def step(x, dy):
        y = ops.depthwise_conv(x, kernel.value, strides=strides)
        return gradients(ops.sum(y * dy), [kernel.value])

    size = [(SIDE - 1) * strides + n for n in window]
    shapes = (BATCH, *size, channels), (BATCH, SIDE, SIDE, channels)
    graph, _ = trace(step, [make_parameter(f"x{k}", TensorType(s)) for k, s in enumerate(shapes)])
    program = compile_graph(graph)
    taps = window[0] * window[1]
    if taps <= MOST_TAPS and min(window) > 1:
        texts = [spec.source.text for spec in program.program.specs]
        assert max(len(set(re.findall(r"column\d+\[", text))) for text in texts) == taps
    else:
        assert is_jammed(program, window[1] if window[1] <= 5 else STEPS) or min(window) == 1
    rng = np.random.default_rng(taps)
    x = rng.normal(size=(2, *size, channels)).astype("float32")
    dy = rng.normal(size=(2, SIDE, SIDE, channels)).astype("float32")
    [got] = program(x, dy)
    reach = strides * (SIDE - 1) + 1
    want = np.array(
        [
            [
                (x[:, i : i + reach : strides, j : j + reach : strides].astype("float64") * dy).sum((0, 1, 2))
                for j in range(window[1])
            ]
            for i in range(window[0])
        ]
    )
    assert_close(got, want.astype("float32")[..., None], terms=2 * SIDE**2)
