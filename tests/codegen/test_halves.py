"""Generated code of float16 and bfloat16: sums in float32, casts that round, loops that are vectors."""

import re

import ml_dtypes
import numpy as np
import pytest

from kcompile import ops
from kcompile.codegen import cpu
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.graph import Graph
from kcompile.ir.kernels import Contract
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.kernels.host import host
from kcompile.passes import pipeline
from kcompile.schedule.plan import plan_graph
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable
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
    x = make_parameter("x", TensorType((symbol("batch"), 8)))
    graph, _ = trace(lambda x: ops.cast(x, dtype), [x])
    (spec,) = cpu.emit(plan_graph(pipeline.run(graph), cpu.target()))
    assert "round_" not in spec.source.text
    graph, _ = trace(lambda x: ops.cast(ops.cast(x, dtype), "float32"), [x])
    (spec,) = cpu.emit(plan_graph(pipeline.run(graph), cpu.target()))
    assert "round_" in spec.source.text


# --- products of pairs --------------------------------------------------------------------------------------

has_pairs = pytest.mark.skipif(not host().multiplies_bfloat16, reason="the CPU has no AVX512_BF16")


def integers(*shape):
    """Small integers: bfloat16 holds them, and float32 their sums of products, exactly."""
    return np.random.default_rng(len(shape)).integers(-8, 9, shape).astype(ml_dtypes.bfloat16)


def in_pairs(function, *shapes):
    """How many contractions of a function over bfloat16 are computed in pairs, and how many not."""
    inputs = [make_parameter(f"x{k}", TensorType(s, "bfloat16")) for k, s in enumerate(shapes)]
    graph, _ = trace(function, inputs)
    kernels = plan_graph(pipeline.run(graph), cpu.target()).kernels
    found = [k.contraction.pairs for k in kernels if isinstance(k, Contract)]
    return found.count(True), found.count(False)


PRODUCTS = {
    "matmul": (lambda x, w: ops.matmul(x, w), (33, 70), (70, 19), True),
    "wide": (lambda x, w: ops.matmul(x, w), (5, 2050), (2050, 64), True),
    "long": (lambda x, w: ops.matmul(x, w), (3, 8194), (8194, 10), True),
    "in uneven parts": (lambda x, w: ops.matmul(x, w), (3, 4098), (4098, 10), True),
    "transposed weights": (lambda x, w: ops.matmul(x, ops.transpose(w)), (13, 66), (37, 66), True),
    "transposed twice": (
        lambda x, w: ops.transpose(ops.matmul(x, ops.transpose(w))), (13, 66), (37, 66), True,
    ),
    "odd reduction": (lambda x, w: ops.matmul(x, w), (33, 71), (71, 19), False),
    "weights' gradient": (lambda x, w: ops.matmul(ops.transpose(x), w), (40, 33), (40, 19), False),
    "attention": (lambda q, k: ops.einsum("bthd,bshd->bhts", q, k), (2, 9, 3, 8), (2, 7, 3, 8), True),
    "batched": (lambda x, w: ops.matmul(x, w), (4, 9, 16), (4, 16, 21), True),
    "convolution": (lambda x, w: ops.conv(x, w), (2, 9, 8, 6), (3, 3, 6, 5), True),
    "strided": (
        lambda x, w: ops.conv(x, w, strides=2, padding="same"), (2, 9, 8, 6), (2, 3, 6, 5), True,
    ),
    "odd channels": (lambda x, w: ops.conv(x, w), (2, 9, 8, 3), (2, 2, 3, 5), None),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_bfloat16_are_exact_in_float32(name):
    function, *shapes, _ = PRODUCTS[name]
    x, w = (integers(*s) for s in shapes)
    want = np.asarray(function(*(a.astype("float32") for a in (x, w)))).astype(ml_dtypes.bfloat16)
    inputs = [make_parameter(f"x{k}", TensorType(a.shape, "bfloat16")) for k, a in enumerate((x, w))]
    np.testing.assert_array_equal(compile_graph(Graph(inputs, [function(*inputs)]))(x, w)[0], want)


@has_pairs
@pytest.mark.parametrize("name", [n for n, p in PRODUCTS.items() if p[3] is not None])
def test_pairs_are_multiplied_where_they_lie_side_by_side(name):
    function, *shapes, expected = PRODUCTS[name]
    assert in_pairs(function, *shapes) == ((1, 0) if expected else (0, 1))


@has_pairs
def test_an_epilogue_reads_the_float32_sums_of_pairs():
    x, w = integers(21, 34), integers(34, 50)

    def function(x, w):
        return ops.relu(ops.cast(ops.matmul(x, w), "float32") * 0.5 - 1.0)

    want = np.maximum((x.astype("f4") @ w.astype("f4")).astype(ml_dtypes.bfloat16).astype("f4") * 0.5 - 1, 0)
    np.testing.assert_array_equal(compiled(lambda x: function(x, ops.convert_to_tensor(w)), x), want)
    assert in_pairs(function, (21, 34), (34, 50)) == (1, 0)


@has_pairs
def test_weights_that_do_not_change_are_packed_in_pairs_once():
    w = Variable(integers(64, 48))
    x = make_parameter("x", TensorType((symbol("batch"), 64), "bfloat16"))
    graph, _ = trace(lambda x: ops.matmul(x, w.value), [x])
    plan = plan_graph(pipeline.run(graph), cpu.target())
    assert [v.dtype for v in plan.prepared] == ["bfloat16"]
    np.testing.assert_array_equal(
        compile_graph(graph)(integers(7, 64))[0],
        (integers(7, 64).astype("f4") @ w.numpy().astype("f4")).astype(ml_dtypes.bfloat16),
    )
