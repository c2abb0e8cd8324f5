"""Loops cut into blocks of rows: where each row runs by itself, the number of rows a symbol or a number."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import layers, ops
from kcompile.autograd.backward import pull_back
from kcompile.codegen.scan_cpu import MOST_ROWS
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from tests.helpers import assert_close

STEPS, UNITS = 4, 16
WEIGHTS = np.random.default_rng(0).normal(size=(UNITS, UNITS)).astype("float32") / 4


def program_of(function, *shapes):
    graph, _ = trace(function, [make_parameter(f"x{k}", TensorType(s)) for k, s in enumerate(shapes)])
    return compile_graph(graph, planned=True)


def check(function, *arrays):
    """Compares with the interpreter; returns how many rows each loop is cut along."""
    program = program_of(function, *(a.shape for a in arrays))
    with config(target="reference"):
        want = program_of(function, *(a.shape for a in arrays))(*arrays)
    for a, b in zip(program(*arrays), want, strict=True):
        assert_close(a, b, terms=64 * STEPS)
    nested = [spec.nested for spec in program.program.specs if spec.nested is not None]
    return [0 if n.rows is None else n.extent for n in nested]


def normal(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


def recurrence(h, x):
    """h (rows, UNITS), x (STEPS, rows, UNITS): the last state and all of them."""

    def step(h, x):
        h = ops.tanh(ops.matmul(h, WEIGHTS) + x)
        return h, h

    return ops.scan(step, h, x)


@pytest.mark.parametrize("rows", [1, 7, 8, 9, UNITS, 2 * MOST_ROWS + 1])
def test_any_number_of_rows(rows):
    """As many rows as units are no reason to take weights for rows."""
    found = check(lambda h, x: [*recurrence(h, x)], normal(rows, UNITS), normal(STEPS, rows, UNITS))
    assert found == [rows if rows >= 8 else 0]


@pytest.mark.parametrize("rows", [5, 24])
def test_gradients(rows):
    def step(h, x, dy):
        return pull_back(recurrence(h, x)[1], dy, [h, x])

    arrays = normal(rows, UNITS), normal(STEPS, rows, UNITS), normal(STEPS, rows, UNITS)
    assert check(step, *arrays) == [rows if rows >= 8 else 0] * 2


@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_recurrent_layers_of_a_known_batch(name):
    layer = getattr(layers, name)(UNITS, return_sequences=True)
    x = normal(UNITS, STEPS, 3)
    layer.build(x.shape)
    assert check(lambda x: [layer(x)], x) == [UNITS]


def test_a_mask_is_cut_with_its_rows():
    layer = layers.GRU(5, return_sequences=True)
    x, mask = normal(12, STEPS, 3), normal(12, STEPS)
    layer.build(x.shape)
    assert check(lambda x, mask: [layer(x, mask=mask > 0)], x, mask) == [12]


OTHERS = {
    "rows are mixed": lambda h, x: ops.tanh(ops.matmul(WEIGHTS, h) + x),
    "rows are turned": lambda h, x: ops.transpose(h) + x,
    "rows are summed": lambda h, x: x + ops.sum(h, axis=0, keepdims=True),
    "rows are numbered": lambda h, x: x + h * ops.expand_dims(ops.arange(UNITS, dtype="float32"), 1),
    "rows are reversed": lambda h, x: ops.flip(h, axis=0) + x,
}


@pytest.mark.parametrize("name", OTHERS)
def test_rows_that_depend_on_others_run_together(name):
    """As many rows as columns: nothing tells them apart but what is computed."""

    def run(h, x):
        def step(h, x):
            h = OTHERS[name](h, x)
            return h, h

        return list(ops.scan(step, h, x))

    assert check(run, normal(UNITS, UNITS), normal(STEPS, UNITS, UNITS)) == [0]


def test_an_open_number_of_rows_may_be_none():
    rows = symbol("rows", low=0)
    program = program_of(lambda h, x: [*recurrence(h, x)], (rows, UNITS), (STEPS, rows, UNITS))
    for n in (0, 1, 40):
        h, all_h = program(normal(n, UNITS), normal(STEPS, n, UNITS))
        assert (h.shape, all_h.shape) == ((n, UNITS), (STEPS, n, UNITS))


@pytest.mark.parametrize(
    "of_state",
    [
        ops.transpose,
        lambda h: ops.reshape(h, (-1,)),
        lambda h: ops.reshape(h, (-1, UNITS // 2)),
        lambda h: ops.stack([h, h]),
    ],
)
@pytest.mark.parametrize("rows", [8, 40])
def test_results_whose_rows_lie_elsewhere(of_state, rows):
    """What a step gives back must lie row by row for a block to write its own part of it."""

    def function(h, x):
        def step(h, x):
            h = ops.tanh(ops.matmul(h, WEIGHTS) + x)
            return h, of_state(h)

        return ops.scan(step, h, x)

    batch = symbol("batch")
    types = [TensorType((batch, UNITS)), TensorType((STEPS, batch, UNITS))]
    graph, _ = trace(function, [make_parameter(f"x{k}", t) for k, t in enumerate(types)])
    arrays = normal(rows, UNITS), normal(STEPS, rows, UNITS)
    with config(target="reference"):
        want = compile_graph(graph)(*arrays)
    for a, b in zip(compile_graph(graph)(*arrays), want, strict=True):
        assert_close(a, b, terms=64 * STEPS)
