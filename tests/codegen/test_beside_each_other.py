"""Some steps of the innermost axis as stores of their own: short axes, and what repeats along a long one."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kcompile import ops
from kcompile.autograd.backward import pull_back
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from tests.helpers import assert_close


def program_of(function, *shapes):
    names = [make_parameter(f"x{k}", TensorType(shape)) for k, shape in enumerate(shapes)]
    graph, _ = trace(function, names)
    return compile_graph(graph, planned=True)


def check(function, arrays, shapes=None, terms=64):
    program = program_of(function, *(shapes or [a.shape for a in arrays]))
    with config(target="reference"):
        want = program_of(function, *(shapes or [a.shape for a in arrays]))(*arrays)
    for a, b in zip(program(*arrays), want, strict=True):
        assert_close(a, b, terms=terms)
    return "".join(spec.source.text for spec in program.program.specs)


def normal(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


@pytest.mark.parametrize("multiplier", [2, 3, 4, 5])
@pytest.mark.parametrize("channels", [3, 16, 19])
def test_filters_of_each_channel(multiplier, channels):
    """Values and both gradients; five filters a channel are too many for a group."""

    def step(x, kernel, dy):
        return pull_back(ops.depthwise_conv(x, kernel, padding="same"), dy, [x, kernel])

    arrays = (
        normal(2, 6, 5, channels), normal(3, 3, channels, multiplier), normal(2, 6, 5, channels * multiplier),
    )  # fmt: skip
    check(step, arrays, terms=3 * 3 * 60)
    check(lambda x, kernel: ops.depthwise_conv(x, kernel) + 1.0, arrays[:2], terms=9)


def test_filters_of_each_channel_are_a_vector_loop_over_channels():
    arrays = (normal(2, 8, 8, 32), normal(3, 3, 32, 2))
    text = check(lambda x, kernel: ops.depthwise_conv(x, kernel), arrays, terms=9)
    assert "micro" not in text and re.search(r"(at\d+) = \w+ \* 2.*\n(.*\n)*.*x0\[\1 \+ 1\] =", text)


@pytest.mark.parametrize("times", [2, 4, 8])
@pytest.mark.parametrize("is_open", [False, True])
def test_what_repeats_along_an_axis(times, is_open):
    x, bias = normal(5, 7, 24), normal(24 * times)
    rows = symbol("rows") if is_open else 5
    text = check(
        lambda x, bias: ops.repeat(x, times, axis=-1) * bias, (x, bias), ((rows, 7, 24), bias.shape), terms=2
    )
    assert ("index_div(r" in text) == (times > 4)  # groups of eight are not stored side by side


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("width", [3, 11, 64])
def test_pixels_of_few_channels(channels, width):
    """Scaled by channel; sums of pixels and of columns; nothing may be lost at either end."""
    x, scale = normal(3, width, width, channels), normal(channels)
    check(lambda x, scale: x * scale - 1.0, (x, scale), terms=2)
    check(lambda x, scale: ops.sum(x * scale, axis=1), (x, scale), terms=width)
    check(lambda x, scale: ops.sum(x * scale, axis=(0, 1, 2)), (x, scale), terms=3 * width**2)
    check(lambda x, scale: ops.softmax(x * scale), (x, scale))
    check(lambda x, scale: ops.cumsum(x * scale, axis=-1) + ops.max(x, axis=2, keepdims=True), (x, scale))
