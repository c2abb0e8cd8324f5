"""The slope of a product: zeros, overflow and underflow on the way, slopes of slopes, open extents."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile
from kcompile import ops


def other_factors(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    out = np.ones_like(x)
    for place in np.ndindex(*x.shape):
        others = np.where([place == p for p in np.ndindex(*x.shape)], 1, x.reshape(-1)).reshape(x.shape)
        product = others.prod(axis=axes, keepdims=True)
        out[place] = product[tuple(0 if k in axes else j for k, j in enumerate(place))]
    return out


def slopes(axes=None):
    """The gradient of a product's sum over the rest: eager, and compiled."""
    slope = kcompile.grad(lambda x: ops.sum(ops.prod(x, axis=axes)))
    return slope, kcompile.jit(slope)


SHAPES = [
    ((1,), (0,)), ((2,), (0,)), ((3, 5), (0,)), ((3, 5), (1,)), ((3, 5), (0, 1)), ((2, 3, 4), (0, 2)),
    ((2, 1, 4), (1,)), ((2, 37), (1,)), ((0, 3), (0,)), ((3, 0), (0,)), ((2, 0), (1,)),
]  # fmt: skip


@pytest.mark.parametrize("shape, axes", SHAPES)
def test_each_factor_has_the_product_of_the_others(shape, axes):
    x = np.random.default_rng(0).normal(size=shape)
    x.reshape(-1)[:1] = 0
    for slope in slopes(axes):
        np.testing.assert_allclose(slope(x), other_factors(x, axes), rtol=1e-13)


def test_one_program_multiplies_factors_of_any_number():
    slope = slopes((0,))[1]
    rng = np.random.default_rng(1)
    for n in (3, 4, 1, 2, 32, 33, 70, 1025):  # open from the second on
        x = rng.uniform(0.9, 1.1, (n, 2))
        x[n // 2, 0] = 0
        zeros = x[:, 0] == 0
        first = np.where(zeros, np.where(zeros, 1, x[:, 0]).prod(), 0)
        expected = np.stack([first, x[:, 1].prod() / x[:, 1]], 1)
        np.testing.assert_allclose(slope(x), expected, rtol=1e-12, err_msg=str(n))


TENS, TENTHS = np.full(60, 10, "float32"), np.full(60, 0.1, "float32")
LARGE, SMALL = np.float32([1e30, 1e30]), np.float32([1e-30, 1e-30])
EXTREMES = {  # x, its slopes: those of Keras on JAX
    "inf": (np.full(100, 10, "float32"), np.full(100, np.inf)),
    "0": (np.full(100, 0.1, "float32"), np.zeros(100)),
    "overflows on the way": (np.r_[TENS, TENTHS], np.r_[TENTHS, TENS]),
    "underflows on the way": (np.r_[TENTHS, TENS], np.r_[TENS, TENTHS]),
    "in two steps": (np.r_[LARGE, SMALL], np.r_[SMALL, LARGE]),
    "a zero among large ones": (np.r_[np.float32(0), TENS], np.r_[np.inf, np.zeros(60)]),
    "infinity": (np.float32([np.inf, 2, 3]), np.float32([6, np.inf, np.inf])),
    "NaN": (np.float32([np.nan, 2, 3]), np.float32([6, np.nan, np.nan])),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_products_that_overflow_have_the_slopes_of_keras(name):
    x, expected = EXTREMES[name]
    for slope in slopes():
        np.testing.assert_allclose(slope(x), expected, rtol=1e-5)


@pytest.mark.parametrize("x", [[0.0, 0, 2, 3], [0.0, 1, 2, 3], [1.0, 2, 3, 4], [0.0, 0, 0, 2]])
def test_slopes_of_slopes_see_zeros_as_factors(x):
    x = np.array(x)
    slope = kcompile.grad(ops.prod)
    second = kcompile.grad(lambda v, w: ops.sum(slope(v) * w))
    for function in (second, kcompile.jit(second)):
        found = np.stack([function(x, w) for w in np.eye(4)])
        expected = [[np.delete(x, [i, j]).prod() if i != j else 0 for j in range(4)] for i in range(4)]
        np.testing.assert_allclose(found, expected, rtol=1e-13)
