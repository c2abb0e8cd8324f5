"""Factors that are the same along a sum's axes: what leaves the sum, and what stays."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.passes import factors
from kcompile.trace.tracer import trace
from tests.helpers import assert_close

SHAPES = {"x": (3, 4, 5), "row": (3, 4, 1), "image": (3, 1, 1), "lane": (5,), "one": ()}


def graph_of(function, names, dtype="float32"):
    inputs = [make_parameter(n, TensorType(SHAPES[n], dtype)) for n in names]
    return trace(function, inputs)[0]


def arrays_of(names, dtype="float32"):
    rng = np.random.default_rng(len(names))
    return [rng.normal(size=SHAPES[n]).astype(dtype) for n in names]


def is_sum_of_a_leaf(graph):
    [node] = [n for n in graph.nodes() if n.op.traits.sums]
    return node.inputs[0].op.leaf is not None


CASES = {
    # names of the operands, axes of the sum, whether the factor leaves
    "a row's": (("x", "row"), 2, True),
    "an image's": (("x", "image"), (1, 2), True),
    "an image's, along rows": (("x", "image"), 1, True),
    "a lane's": (("x", "lane"), (0, 1), True),
    "a number": (("x", "one"), None, True),
    "a row's, along rows": (("x", "row"), 1, False),
    "a lane's, along lanes": (("x", "lane"), 2, False),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("order", [1, -1])
def test_one_factor(name, keepdims, order):
    names, axes, leaves = CASES[name]

    def function(x, factor):
        return ops.sum(ops.multiply(*(x, factor)[::order]), axis=axes, keepdims=keepdims)

    graph, arrays = graph_of(function, names), arrays_of(names)
    assert is_sum_of_a_leaf(factors.run(graph)) == leaves
    axes = tuple(range(3)) if axes is None else axes
    want = (arrays[0] * arrays[1]).sum(axes, keepdims=keepdims)
    assert_close(compile_graph(graph)(*arrays)[0], want, terms=60)


def test_several_factors_and_the_sign():
    names = ("x", "row", "image")

    def function(x, row, image):
        return ops.sum(-(image * (-x * row)), axis=2)

    graph, arrays = graph_of(function, names), arrays_of(names)
    assert is_sum_of_a_leaf(factors.run(graph))
    x, row, image = arrays
    assert_close(compile_graph(graph)(*arrays)[0], (x * row * image).sum(2), terms=8)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float16", "bfloat16"])
def test_what_overflows_soon_stays(dtype):
    """A sum of scaled halves may be finite where their own sum is not."""
    graph = graph_of(lambda x, row: ops.sum(x * row, axis=2), ("x", "row"), dtype)
    assert not is_sum_of_a_leaf(factors.run(graph))


def test_what_others_read_too_is_still_computed():
    names = ("x", "row")
    graph = graph_of(lambda x, row: (x * row, ops.sum(x * row, axis=2)), names)
    x, row = arrays = arrays_of(names)
    product, total = compile_graph(graph)(*arrays)
    assert_close(product, x * row)
    assert_close(total, (x * row).sum(2), terms=5)


def test_the_sum_of_nothing_is_zero_whatever_the_factor():
    rows = symbol("rows", low=0)
    inputs = [make_parameter("x", TensorType((rows, 3))), make_parameter("s", TensorType((1, 3)))]
    graph, _ = trace(lambda x, s: ops.sum(x * s, axis=0), inputs)
    infinite = np.full((1, 3), np.inf, "float32")
    np.testing.assert_array_equal(compile_graph(graph)(np.zeros((0, 3), "float32"), infinite)[0], np.zeros(3))


def sums_of(graph):
    """What the sums of a graph add up over which axes."""
    return [(n.inputs[0].shape, n.attrs["axes"]) for n in graph.nodes() if n.op.traits.sums]


@pytest.mark.parametrize("other", ["image", "row"])
@pytest.mark.parametrize("order", [1, -1])
def test_what_is_summed_for_each_image_is_not_summed_again(order, other):
    """Only what is the same along the axes of the first sum may be a factor of the second one."""

    def function(x, factor):
        sums = [ops.sum(ops.square(x), axis=(1, 2)), ops.sum(ops.square(x) * factor, axis=(0, 1, 2))]
        return sums[::order]

    graph, arrays = graph_of(function, ("x", other)), arrays_of(("x", other))
    twice = [(3, 4, 5)] * (1 if other == "image" else 2)
    assert [shape for shape, _ in sums_of(factors.run(graph)) if shape == (3, 4, 5)] == twice
    x, factor = arrays
    wanted = [(x**2).sum((1, 2)), (x**2 * factor).sum()][::order]
    for got, want in zip(compile_graph(graph)(*arrays), wanted, strict=True):
        assert_close(got, want, terms=60)


def test_the_longest_of_several_sums_is_made_of_the_others():
    def function(x):
        return [ops.sum(x, axis=axes) for axes in ((0, 1, 2), 2, (1, 2), (0, 2), 1)]

    graph, arrays = graph_of(function, ("x",)), arrays_of(("x",))
    assert len([shape for shape, _ in sums_of(factors.run(graph)) if shape == (3, 4, 5)]) == 2
    for got, axes in zip(compile_graph(graph)(*arrays), ((0, 1, 2), 2, (1, 2), (0, 2), 1), strict=True):
        assert_close(got, arrays[0].sum(axes), terms=60)


def test_a_factor_of_an_empty_sum_stays():
    """The sum of nothing is 0, and 0 times infinity is not."""

    def function(x, factor):
        return [ops.sum(x, axis=1), ops.sum(x * factor)]

    inputs = [make_parameter(n, TensorType(shape)) for n, shape in (("x", (3, 0)), ("factor", (3, 1)))]
    graph, _ = trace(function, inputs)
    sums = compile_graph(graph)(np.zeros((3, 0), "float32"), np.full((3, 1), np.inf, "float32"))
    np.testing.assert_array_equal(sums[0], np.zeros(3))
    assert sums[1] == 0
