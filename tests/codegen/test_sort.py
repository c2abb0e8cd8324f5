"""The sorting kernel and what is built on it, against NumPy: long rows, ties, NaN, infinities, all dtypes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import kcompile
from kcompile import ops
from kcompile.codegen import cpu
from kcompile.core import dtypes
from kcompile.core.config import config
from kcompile.ir.graph import Graph
from kcompile.ir.kernels import Sort
from kcompile.ops.order import argsort_op
from kcompile.passes import decompose, pipeline
from kcompile.schedule.plan import plan_graph
from tests.programs import make_case

DTYPES = (
    "float32", "float64", "float16", "bfloat16", "int8", "uint8", "int16", "uint16", "int32", "uint32",
    "int64", "uint64", "bool",
)  # fmt: skip


def numbers(dtype: str, *shape: int, seed: int = 0) -> np.ndarray:
    """With ties; floats with NaN of both signs, infinities and zeros of both signs."""
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if not dtypes.is_float(dtype):
        info = np.iinfo(dtype)
        x = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
        x.reshape(-1)[::3] = x.reshape(-1)[0]
        return x
    x = rng.normal(size=shape).round(1) * 10
    for step, value in ((7, math.nan), (11, math.inf), (13, -math.inf), (5, -0.0), (17, 0.0)):
        x.reshape(-1)[::step] = value
    x.reshape(-1)[::19] = np.copysign(math.nan, -1)
    return x.astype(dtypes.numpy_dtype(dtype))


def kernels_of(function, *arrays):
    case = make_case("sort", function, arrays)
    return plan_graph(pipeline.run(Graph(case.inputs, case.outputs)), cpu.target()).kernels


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_order_of_rows_is_the_reference(dtype):
    x, long = numbers(dtype, 2, 3, 40), numbers(dtype, 1000, seed=1)

    @kcompile.jit
    def orders(x, long):
        return [
            argsort_op(v, count=count, descending=descending)
            for v, count in (
                (x, 40),
                (x, 7),
                (x, 10),
                (x, 11),
                (long, 1000),
                (long, 16),
                (long, 17),
                (long, 1),
            )
            for descending in (False, True)
        ]

    wanted = [
        argsort_op.evaluate((v,), {"count": count, "descending": descending})
        for v, count in ((x, 40), (x, 7), (x, 10), (x, 11), (long, 1000), (long, 16), (long, 17), (long, 1))
        for descending in (False, True)
    ]
    for got, expected in zip(orders(x, long), wanted, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_long_rows_have_one_kernel_and_short_ones_none():
    long, short = (np.zeros((3, n), "float32") for n in (decompose.LONG_ROW, decompose.LONG_ROW - 1))
    assert [type(k) for k in kernels_of(ops.argsort, long)].count(Sort) == 1
    assert [type(k) for k in kernels_of(ops.argsort, short)].count(Sort) == 0


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_sort_along_axes(axis):
    x = numbers("float32", 50, 6, 30)
    for got, expected in (
        (kcompile.jit(lambda x: ops.sort(x, axis))(x), np.sort(x, axis)),
        (kcompile.jit(lambda x: ops.argsort(x, axis))(x), np.argsort(x, axis, kind="stable")),
    ):
        np.testing.assert_array_equal(got, expected)


def test_a_million_elements():
    x = np.random.default_rng(0).normal(size=10**6).astype("float32")
    ascending = np.sort(x)

    @kcompile.jit
    def of(x, v):
        return ops.sort(x), *ops.top_k(x, 3), ops.median(x), ops.searchsorted(ops.sort(x), v)

    values = ascending[::1000] + np.float32(1e-9)
    found, largest, places, middle, at = of(x, values)
    np.testing.assert_array_equal(found, ascending)
    np.testing.assert_array_equal(largest, ascending[:-4:-1])
    np.testing.assert_array_equal(x[places], largest)
    np.testing.assert_allclose(middle, np.median(x), rtol=1e-6)
    np.testing.assert_array_equal(at, np.searchsorted(ascending, values))


def test_gradients_go_to_where_elements_came_from():
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 50, (5, 300)).astype("float32"), rng.normal(size=(5, 300)).astype("float32")
    order = np.argsort(x, axis=-1, kind="stable")
    expected = np.empty_like(w)
    np.put_along_axis(expected, order, w, -1)

    @kcompile.jit
    def slopes(x, w):
        return (
            kcompile.grad(lambda x: ops.sum(ops.sort(x) * w))(x),
            kcompile.grad(lambda x: ops.sum(ops.top_k(x, 4)[0] * w[:, :4]))(x),
            kcompile.grad(lambda x: ops.sum(ops.sort(ops.transpose(x), axis=0) * ops.transpose(w)))(x),
        )

    whole, largest, turned = slopes(x, w)
    np.testing.assert_array_equal(whole, expected)
    np.testing.assert_array_equal(turned, expected)
    four, top = np.zeros_like(w), argsort_op.evaluate((x,), {"count": 4, "descending": True})
    np.put_along_axis(four, top, w[:, :4], -1)
    np.testing.assert_array_equal(largest, four)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("size", [1, 15, 16, 17, 31, 1000])
def test_searchsorted(side, size):
    sequence = np.sort(numbers("int16", size)).astype("float32")
    values = np.concatenate([sequence, sequence + 1, [-math.inf, math.inf, -1e9]]).astype("float32")
    expected = np.searchsorted(sequence, values, side)
    np.testing.assert_array_equal(ops.searchsorted(sequence, values, side=side), expected)
    search = kcompile.jit(lambda s, v: ops.searchsorted(s, ops.reshape(v, (1, -1)), side=side))
    np.testing.assert_array_equal(search(sequence, values), expected[None])


def test_open_lengths():
    run = kcompile.jit(
        lambda x: (ops.sort(x), ops.argsort(x), ops.searchsorted(x[0] * 0.0, x), ops.median(x, -1))
    )
    for rows, size in ((2, 30), (3, 40), (4, 25), (5, 77)):
        x = np.random.default_rng(size).normal(size=(rows, size)).astype("float32")
        ascending, order, at, middle = run(x)
        np.testing.assert_array_equal(ascending, np.sort(x))
        np.testing.assert_array_equal(order, np.argsort(x))
        np.testing.assert_array_equal(at, np.searchsorted(np.zeros(size), x))
        np.testing.assert_allclose(middle, np.median(x, -1), rtol=1e-6)


def test_nothing_to_sort():
    run = kcompile.jit(ops.argsort)
    for shape in ((0, 40), (3, 0), (0,)):
        assert run(np.zeros(shape, "float32")).shape == shape


def test_unique_counts_long_tensors():
    x = np.random.default_rng(0).integers(0, 700, 20_000).astype("int32")
    options = {"return_index": True, "return_inverse": True, "return_counts": True, "size": 800}
    found = kcompile.jit(lambda x: ops.unique(x, **options))(x)
    for got, expected in zip(found, ops.unique(x, **options), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_loop_sorts_in_each_step():
    x = np.random.default_rng(0).normal(size=(4, 3, 50)).astype("float32")

    @kcompile.jit
    def run(x):
        return ops.scan(lambda c, v: (ops.sort(c + v), ops.argsort(v)), x[0] * 0.0, x)

    last, orders = run(x)
    expected = np.zeros((3, 50), "float32")
    for v in x:
        expected = np.sort(expected + v)
    np.testing.assert_array_equal(last, expected)
    np.testing.assert_array_equal(orders, np.argsort(x))


def test_a_target_without_the_kernel_compares_pairs():
    x = numbers("float32", 2, 40)
    with config(target="cuda-emulated"):
        found = kcompile.jit(lambda x: ops.argsort(x))(x)
    np.testing.assert_array_equal(found, np.argsort(x, kind="stable"))


def test_every_kernel_is_checked_against_the_reference():
    x = numbers("float32", 3, 60)
    with config(check=True):
        np.testing.assert_array_equal(kcompile.jit(lambda x: ops.sort(x * 2.0))(x), np.sort(x * 2))
