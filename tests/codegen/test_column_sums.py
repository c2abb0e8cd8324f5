"""Reductions down columns, several rows at a time, whatever number is left; equal ones run once."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.codegen import cpu
from kcompile.codegen.jam import ROWS_AT_A_TIME as ROWS
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.passes import pipeline
from kcompile.schedule.plan import plan_graph
from kcompile.trace.tracer import trace
from tests.helpers import assert_close

REDUCTIONS = {
    "sum": lambda x: ops.sum(x, axis=0),
    "moments": lambda x: ops.moments(x, axes=0),
    "two in one pass": lambda x: (ops.sum(x, axis=0), ops.sum(x * x, axis=0)),
    "of an expression": lambda x: ops.sum(ops.exp(-x) * (x > 0), axis=0),
    "of two axes": lambda x: ops.sum(ops.stack([x, 2 * x]), axis=(0, 1)),
}


def program(function, shape, dtype="float32"):
    graph, _ = trace(function, [make_parameter("x", TensorType(shape, dtype))])
    return graph


@pytest.mark.parametrize("rows", [1, 2, 3, ROWS, ROWS + 1, 2 * ROWS - 1, 131])
@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("is_open", [False, True])
def test_any_number_of_rows(rows, name, is_open):
    rng = np.random.default_rng(rows)
    for columns in (1, 7, 130):
        x = rng.normal(size=(rows, columns)).astype("float32")
        graph = program(REDUCTIONS[name], (symbol("n") if is_open else rows, columns))
        got = compile_graph(graph)(x)
        with config(target="reference"):
            want = compile_graph(graph)(x)
        for a, b in zip(got, want, strict=True):
            assert_close(a, b, terms=2 * rows)


@pytest.mark.parametrize("kind", [ops.max, ops.min, ops.prod, ops.any, ops.all])
@pytest.mark.parametrize("rows", [1, 3, 5, 9])
def test_other_kinds(kind, rows):
    x = np.random.default_rng(rows).integers(0, 3, (rows, 70)).astype("int32")
    got = compile_graph(program(lambda x: kind(x, axis=0), (rows, 70), "int32"))(x)[0]
    np.testing.assert_array_equal(got, np.asarray(kind(x, axis=0)))


def test_no_rows_at_all():
    graph = program(lambda x: ops.sum(x, axis=0), (symbol("n", low=0), 70))
    np.testing.assert_array_equal(compile_graph(graph)(np.zeros((0, 70), "float32"))[0], np.zeros(70))


def test_equal_reductions_of_different_nodes_run_once():
    """The sum inside of a variance and the sum beside it have axes of their own."""

    def function(x):
        mean = ops.sum(x, axis=0, keepdims=True) / 80
        square = ops.sum((x - mean) ** 2, axis=0)
        return square + ops.sum(ops.reshape(x, (80, 70)), axis=0)

    plan = plan_graph(pipeline.run(program(function, (80, 70))), cpu.target())
    [kernel] = cpu.emit(plan)
    assert kernel.source.text.count("[j] = f32(0.0)") == 2


@pytest.mark.parametrize(("rows", "columns"), [(9, 16), (64, 33)])
def test_what_is_the_same_in_all_rows_is_computed_once_a_column(rows, columns):
    """Also where one group of sums needs what another one gave."""
    rng = np.random.default_rng(columns)
    scale, x = (rng.uniform(1, 2, shape).astype("float32") for shape in ((1, columns), (rows, columns)))

    def function(x, scale):
        centred = x - ops.mean(x, axis=0, keepdims=True)
        return ops.sum(centred * ops.rsqrt(scale) + x * ops.exp(scale), axis=0)

    inputs = [make_parameter(n, TensorType(a.shape)) for n, a in (("x", x), ("scale", scale))]
    graph, _ = trace(function, inputs)
    program = compile_graph(graph, planned=True)
    text = "".join(spec.source.text for spec in program.program.specs)
    assert (text.count("rsqrt("), text.count("exp(")) == (1, 1)  # not written out for several rows
    want = ((x - x.mean(0)) / np.sqrt(scale) + x * np.exp(scale)).sum(0)
    assert_close(program(x, scale)[0], want, terms=2 * rows)
