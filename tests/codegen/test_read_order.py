"""Loops go through what they read in its order, where whole lines are stored."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.ops.cutting import pad
from kcompile.trace.tracer import trace
from tests.helpers import assert_close

BY_GROUPS = (0, 3, 1, 2, 4)
IMAGES = (3, 5, 7, 4, 16)  # images, rows, columns, groups, channels


def by_groups(x):
    return ops.transpose(x, BY_GROUPS) * 2.0


def with_a_border(x):
    return pad(by_groups(x), [[0, 0], [0, 0], [1, 2], [2, 0], [0, 0]])


def with_a_bias(x):
    """What does not change along all axes has no order."""
    return by_groups(x) + ops.sum(x, axis=(0, 1, 2, 3))


def of_two_orders(x):
    return ops.concatenate([by_groups(x), by_groups(x)], axis=0)[:3] + ops.reshape(x, (3, 4, 5, 7, 16))


def across_channels(x):
    """What is read does not lie along the innermost axis."""
    return ops.transpose(x, (0, 3, 1, 4, 2)) * 2.0


def of_sums(x):
    return by_groups(ops.sum(x, axis=-1))


PIXELS = "n0"  # rows and columns that are one axis
# function, shape, extents of the loops inside of the tile loop, the innermost last
CASES = {
    "by groups": (by_groups, IMAGES, ["4", "16"]),
    "with a border": (with_a_border, IMAGES, ["9", "4", "16", "16"]),  # the border's part, and the inner one
    "with a bias": (with_a_bias, IMAGES, ["4", "16"]),
    "half a line": (by_groups, (3, 5, 7, 4, 8), [PIXELS, "8"]),
    "lines and a half": (by_groups, (3, 5, 7, 4, 24), [PIXELS, "24"]),
    "across channels": (across_channels, (3, 5, 16, 4, 7), ["5", "7", "16"]),
    "of sums": (of_sums, (3, 5, 7, 4, 16, 9), [PIXELS, "16"]),
    "of two orders": (of_two_orders, IMAGES, [PIXELS, "16", "16"]),
}


@pytest.mark.parametrize("name", CASES)
def test_order_and_numbers(name):
    function, shape, loops = CASES[name]
    graph = trace(function, [make_parameter("x", TensorType(shape))])[0]
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    program = compile_graph(graph, planned=True)
    with config(target="reference"):
        (want,) = compile_graph(graph)(x)
    assert_close(program(x)[0], want, terms=105 * 4)
    text = program.program.specs[-1].source.text
    assert re.findall(r"in range\((\w+)\):", text) == loops
