"""Sums over rows named by an index: added into memory, the result's own where nothing else is done."""

import numpy as np
import pytest

from kcompile import ops
from kcompile.codegen import cpu
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.kernels import writes
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.passes import pipeline
from kcompile.schedule.plan import plan_graph
from kcompile.trace.tracer import trace


def sums(x, rows):
    return ops.scatter(ops.expand_dims(rows, 1), x, (5, 3))


def traced(function):
    batch = symbol("batch")
    return trace(
        function,
        [make_parameter("x", TensorType((batch, 3))), make_parameter("rows", TensorType((batch,), "int32"))],
    )[0]


@pytest.mark.parametrize(
    ("function", "kernels"),
    [
        (sums, 1),
        (lambda x, rows: sums(x, rows) * 2, 2),
        (lambda x, rows: ops.transpose(sums(x, rows)), 2),
        (lambda x, rows: (sums(x, rows), sums(x[:, ::-1], rows)), 2),
    ],
)
def test_sums_go_to_the_result_itself_where_nothing_is_left_to_do(function, kernels):
    graph = traced(function)
    planned = plan_graph(pipeline.run(graph), cpu.target()).kernels
    assert sum(writes(k)[0].dtype == "float32" for k in planned) == kernels
    x, rows = np.arange(21, dtype="float32").reshape(7, 3), np.array([0, 4, 0, 2, 4, 4, 1], "int32")
    want = function(x, rows)
    got = compile_graph(graph)(x, rows)
    for g, w in zip(got, want if isinstance(want, tuple) else (want,), strict=True):
        np.testing.assert_allclose(g, np.asarray(w), rtol=1e-6)


def test_half_precision_is_added_up_in_float32():
    graph = traced(lambda x, rows: sums(ops.cast(x, "bfloat16"), rows))
    got = compile_graph(graph)(np.full((300, 3), 1.0, "float32"), np.zeros(300, "int32"))[0]
    np.testing.assert_array_equal(got[0].astype("float32"), [300, 300, 300])
