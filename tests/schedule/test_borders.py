"""Padding whose inside a contraction stores: the same numbers, one kernel, all of the border written."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.ops.cutting import pad
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable
from tests.helpers import assert_close

BATCH = symbol("batch")


def weights(*shape):
    return Variable(np.random.default_rng(len(shape)).normal(size=shape).astype("float32"))


def pixels(x, filters=5):
    """A contraction with an epilogue: of sequences, images and volumes alike."""
    kernel = weights(*[1] * (len(x.shape) - 2), x.shape[-1], filters)
    return ops.relu(ops.conv(x, kernel.value) + weights(filters).value)


def squares(x):
    """The same by Winograd."""
    return ops.relu(ops.conv(x, weights(3, 3, x.shape[-1], 40).value, padding="same"))


def centered(y):
    return y - ops.mean(y, axis=(1, 2), keepdims=True)


def window_sum(y):
    """Of neighbours, which an epilogue does not add up."""
    return ops.average_pool(y, 2, strides=1, padding="same")


AROUND = [[0, 0], [1, 2], [0, 3], [0, 0]]
CASES = {
    "image": ((6, 7, 3), lambda x: pad(pixels(x), AROUND)),
    "ones around": ((6, 7, 3), lambda x: pad(pixels(x), AROUND, 1.0)),
    "channels too": ((6, 7, 3), lambda x: pad(pixels(x), [[0, 0], [0, 0], [2, 0], [1, 3]])),
    "sequence": ((9, 3), lambda x: pad(pixels(x), [[0, 0], [4, 0], [0, 0]])),
    "volume": ((3, 4, 5, 2), lambda x: pad(pixels(x), [[0, 0], [1, 1], [2, 0], [0, 1], [0, 0]])),
    "winograd": ((12, 12, 20), lambda x: pad(squares(x), AROUND)),
    "wide": ((4, 4, 3), lambda x: pad(pixels(x, 130), AROUND)),
}


def program_of(shape, function):
    graph, _ = trace(function, [make_parameter("x", TensorType((BATCH, *shape)))])
    return compile_graph(graph)


def images(batch, shape):
    return np.random.default_rng(batch).normal(size=(batch, *shape)).astype("float32")


def expected(shape, function, x):
    with config(target="reference"):
        return program_of(shape, function)(x)


def kernels(program):
    return [spec.fused for spec in program.program.specs]


@pytest.mark.parametrize("name", CASES)
def test_what_is_padded_is_computed_in_place(name):
    shape, function = CASES[name]
    with config(poison=True):
        program = program_of(shape, function)
        assert sum("contract" in fused for fused in kernels(program)) == 1
        assert sum("pad" in fused for fused in kernels(program) if "contract" in fused) == 1
        for batch in (1, 4, 17):
            x = images(batch, shape)
            [got], [want] = program(x), expected(shape, function, x)
            assert_close(got, want, terms=9 * shape[-1])


def test_of_no_images_at_all_nothing_is_stored():
    shape, function = next(iter(CASES.values()))
    graph, _ = trace(function, [make_parameter("x", TensorType((symbol("images", low=0), *shape)))])
    program = compile_graph(graph)
    assert any("pad" in fused for fused in kernels(program) if "contract" in fused)
    for batch in (0, 3, 0):
        [got], [want] = program(images(batch, shape)), expected(shape, function, images(batch, shape))
        assert_close(got, want, terms=9 * shape[-1])


def test_what_is_padded_is_stored_too_where_others_read_it():
    def function(x):
        y = pixels(x)
        return [ops.sum(pad(y, AROUND), axis=(1, 2)), y * 2]

    x = images(3, (6, 7, 3))
    for got, want in zip(program_of((6, 7, 3), function)(x), expected((6, 7, 3), function, x), strict=True):
        assert_close(got, want, terms=60)


def test_another_window_over_the_image_reads_it_inside_of_the_border():
    """Two branches of one activation: neither undoes that it is stored once."""

    def function(x):
        y = pixels(x)
        kernel = weights(3, 3, 5, 4)
        return [ops.conv(pad(y, AROUND), kernel.value), ops.max_pool(y, 2, strides=1)]

    x = images(3, (6, 7, 3))
    program = program_of((6, 7, 3), function)
    assert any("contract" in fused and "pad" in fused for fused in kernels(program))
    for got, want in zip(program(x), expected((6, 7, 3), function, x), strict=True):
        assert_close(got, want, terms=60)


NOT_STORED_INSIDE = {
    "a window sum lies between": lambda x: pad(pixels(x) + window_sum(pixels(x)), AROUND),
    "the batch is padded": lambda x: pad(pixels(x), [[1, 0], [0, 0], [0, 0], [0, 0]]),
    "cropped": lambda x: pad(pixels(x), [[0, 0], [-1, 1], [0, 0], [0, 0]]),
    "a mean lies between": lambda x: pad(centered(pixels(x)), AROUND),
}


@pytest.mark.parametrize("name", NOT_STORED_INSIDE)
def test_other_padding_is_a_kernel_of_its_own(name):
    function = NOT_STORED_INSIDE[name]
    program, x = program_of((6, 7, 3), function), images(3, (6, 7, 3))
    assert not any("contract" in fused and "pad" in fused for fused in kernels(program))
    [got], [want] = program(x), expected((6, 7, 3), function, x)
    assert_close(got, want, terms=60)
