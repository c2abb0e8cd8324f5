"""The inner loops of canonical kernels become vector code: the optimized LLVM IR shows it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kcompile import ops
from kcompile.codegen import cpu
from kcompile.codegen.build import compile_module
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.passes import pipeline
from kcompile.schedule.plan import plan_graph
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable

BATCH = symbol("batch")


def parameter(name, *shape, dtype="float32"):
    return make_parameter(name, TensorType(shape, dtype))


def code_of(function, *parameters):
    """The optimized IR of all Python kernels of a function, as one text."""
    graph, _ = trace(function, list(parameters))
    specs = cpu.emit(plan_graph(pipeline.run(graph), cpu.target()))
    return "\n".join(str(compile_module(s.source)) for s in specs if s.source.language == "python")


def vector_operations(code, operation, kind="float"):
    return re.findall(rf"{operation} [a-z ]*<\d+ x {kind}>", code)


ROWS = parameter("x", BATCH, 257)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 2.0 + 1.0,
        lambda x: ops.relu(x) - x,
        lambda x: ops.tanh(ops.exp(x) + 1.0),
        lambda x: ops.gelu(x),
        lambda x: ops.where(x > 0, x, ops.exp(x) - 1.0),
        lambda x: ops.sqrt(ops.square(x) + 1.0),
        lambda x: x + Variable(np.ones(257, "float32")).value,
        lambda x: x - ops.mean(x, axis=1, keepdims=True),
        lambda x: ops.softmax(x),
    ],
    ids=["affine", "relu", "tanh-exp", "gelu", "where", "sqrt", "bias", "centred", "softmax"],
)
def test_elementwise_stores_are_vectors(function):
    code = code_of(function, ROWS)
    assert vector_operations(code, "store", "(?:float|i32)")  # i32: a float whose sign bit was set last


@pytest.mark.parametrize("dtype, kind", [("float64", "double"), ("float32", "float")])
def test_a_sum_along_a_row_adds_vectors(dtype, kind):
    code = code_of(lambda x: ops.sum(ops.exp(x), axis=1), parameter("x", BATCH, 257, dtype=dtype))
    assert vector_operations(code, "fadd", kind)


def test_a_sum_down_columns_adds_vectors():
    assert vector_operations(code_of(lambda x: ops.sum(x, axis=0), ROWS), "fadd")


def test_a_row_of_products_adds_vectors():
    code = code_of(lambda x, y: ops.sum(x * y, axis=1), ROWS, parameter("y", BATCH, 257))
    assert vector_operations(code, "fadd") or "llvm.fmuladd.v" in code


def test_an_update_of_variables_stores_vectors():
    w, m = (Variable(np.ones((64, 257), "float32")) for _ in range(2))

    def step(g):
        m.assign(m * 0.9 + g)
        w.assign(w - m * 0.1)

    code = code_of(step, parameter("g", 64, 257))
    assert len(vector_operations(code, "store")) >= 2


def test_no_kernel_tests_for_overlap():
    code = code_of(lambda x, y: ops.exp(x) * y, ROWS, parameter("y", BATCH, 257))
    assert not re.search(r"vector\.memcheck|diff\.check", code)


def test_the_epilogue_of_a_product_stores_vectors():
    w, b = Variable(np.ones((64, 128), "float32")), Variable(np.zeros(128, "float32"))
    code = code_of(lambda x: ops.relu(ops.matmul(x, w.value) + b.value), parameter("x", BATCH, 64))
    assert vector_operations(code, "store")


def test_a_loop_that_cannot_be_a_vector_is_none():
    """The tests above can fail: a gather by computed rows of one column has no vector stores of floats."""
    index = parameter("i", BATCH, dtype="int32")
    code = code_of(lambda i: ops.sum(ops.cumsum(ops.cast(i, "float32")[:1])), index)
    assert not vector_operations(code, "store")
