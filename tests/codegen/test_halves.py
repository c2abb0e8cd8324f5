"""Generated code of float16 and bfloat16: sums in float32, casts that round, loops that are vectors."""

import re

import ml_dtypes
import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.graph import Graph
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from tests.codegen.test_vectorized import code_of

DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
both = pytest.mark.parametrize("dtype", DTYPES)


def compiled(function, *arrays):
    inputs = [
        make_parameter(f"x{k}", TensorType((symbol("batch"), *a.shape[1:]), a.dtype.name))
        for k, a in enumerate(arrays)
    ]
    return compile_graph(Graph(inputs, [function(*inputs)]))(*arrays)[0]


@both
@pytest.mark.parametrize("axis", [0, 1, None])
@pytest.mark.parametrize("shape", [(1, 300_000), (5000, 3), (20_000, 70)])
def test_a_long_sum_is_exact_to_the_last_bit(dtype, shape, axis):
    """Added up in two bytes, ones stop counting at 256 or 2048."""
    x = (np.random.default_rng(0).integers(0, 2, shape) / 64).astype(DTYPES[dtype])
    with np.errstate(over="ignore"):
        want = x.astype("f8").sum(axis).astype(np.float32).astype(DTYPES[dtype])
    np.testing.assert_array_equal(compiled(lambda x: ops.sum(x, axis=axis), x), want)
    np.testing.assert_array_equal(ops.sum(x, axis=axis), want)


@both
def test_a_mean_does_not_overflow_on_the_way(dtype):
    x = np.full((1, 9000), 1000.0, DTYPES[dtype])
    assert compiled(lambda x: ops.mean(x, axis=1), x).tolist() == [1000.0]


@both
def test_a_scatter_adds_in_float32(dtype):
    rows = np.zeros(5000, np.int32)
    x = np.ones((5000, 4), DTYPES[dtype])
    got = compiled(lambda x, r: ops.segment_sum(x, r, num_segments=3), x, rows)
    want = np.zeros((3, 4), DTYPES[dtype])
    want[0] = np.float32(5000)
    np.testing.assert_array_equal(got, want)


@both
@pytest.mark.parametrize("noopt", [False, True])
def test_a_cast_rounds_also_inside_a_kernel(dtype, noopt):
    x = np.array([[1.0 + 2**-12, 1e-9, 1e6, np.nan]], np.float32)
    with config(noopt=noopt), np.errstate(over="ignore"):
        got = compiled(lambda x: ops.cast(ops.cast(x, dtype), "float32") * 3.0, x)
        want = x.astype(DTYPES[dtype]).astype(np.float32) * np.float32(3)
    np.testing.assert_array_equal(got, want)


@both
@pytest.mark.parametrize("skip", ["", "widen"])
def test_a_product_adds_in_float32_and_rounds_once(dtype, skip):
    """By the contraction kernel, and by the plain loop that is left without the pass."""
    rng = np.random.default_rng(0)
    x, w = (rng.integers(-8, 9, s).astype(DTYPES[dtype]) for s in ((33, 500), (500, 17)))
    want = (x.astype("f8") @ w.astype("f8")).astype(np.float32).astype(DTYPES[dtype])
    weight = ops.convert_to_tensor(w)
    with config(skip=skip):
        np.testing.assert_array_equal(compiled(lambda x: ops.matmul(x, weight), x), want)
    np.testing.assert_array_equal(ops.matmul(x, w), want)


@both
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 2.0 + 1.0,
        lambda x: ops.relu(x) - x,
        lambda x: ops.tanh(x),
        lambda x: ops.softmax(x),
        lambda x: ops.cast(ops.cast(x, "float32") + 1.0, x.dtype),
    ],
    ids=["affine", "relu", "tanh", "softmax", "mixed"],
)
def test_loops_load_and_store_vectors(dtype, function):
    code = code_of(function, make_parameter("x", TensorType((symbol("batch"), 257), dtype)))
    assert re.search(r"load <\d+ x (i16|half)>", code)
    assert re.search(r"store <\d+ x (i16|half)>", code)


@both
def test_a_stored_cast_is_rounded_once(dtype):
    """The store rounds by itself: no rounding in a register before it."""
    from kcompile.codegen import cpu
    from kcompile.passes import pipeline
    from kcompile.schedule.plan import plan_graph
    from kcompile.trace.tracer import trace

    x = make_parameter("x", TensorType((symbol("batch"), 8)))
    graph, _ = trace(lambda x: ops.cast(x, dtype), [x])
    (spec,) = cpu.emit(plan_graph(pipeline.run(graph), cpu.target()))
    assert "round_" not in spec.source.text
    graph, _ = trace(lambda x: ops.cast(ops.cast(x, dtype), "float32"), [x])
    (spec,) = cpu.emit(plan_graph(pipeline.run(graph), cpu.target()))
    assert "round_" in spec.source.text
