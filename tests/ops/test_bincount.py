"""`ops.bincount`: in one pass over the numbers, whatever they are."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(0,), (1,), (40,), (3, 17), (1, 5)])
def test_counts(shape, weighted):
    x = RNG.integers(0, 6, shape).astype("int32")
    weights = RNG.normal(size=shape).astype("float32") if weighted else None
    found = ops.bincount(x, weights=weights, minlength=7)
    rows = [
        np.bincount(row, None if weights is None else w, minlength=7)
        for row, w in zip(np.atleast_2d(x), np.atleast_2d(x if weights is None else weights), strict=True)
    ]
    np.testing.assert_allclose(found, rows[0] if x.ndim == 1 else rows, rtol=1e-6, atol=1e-6)
    assert found.dtype.name == ("float32" if weighted else "int32")


@pytest.mark.compiled
@pytest.mark.parametrize("shape", [(40,), (3, 17)])
def test_compiled(shape):
    x = RNG.integers(-2, 9, shape).astype("int32")
    weights = RNG.normal(size=shape).astype("float32")
    run = keras.jit(lambda x, w: (ops.bincount(x, minlength=6), ops.bincount(x, weights=w, minlength=6)))
    counts, sums = run(x, weights)
    np.testing.assert_array_equal(counts, ops.bincount(x, minlength=6)[..., :6])
    np.testing.assert_allclose(sums, ops.bincount(x, weights=weights)[..., :6], rtol=1e-6, atol=1e-6)


def test_negative_numbers_count_as_zero_as_in_jax():
    np.testing.assert_array_equal(ops.bincount(np.array([-3, 0, 2])), [2, 0, 1])


@pytest.mark.compiled
def test_the_time_is_linear():
    """A table of 10^5 places times 10^6 numbers would need 10^11 comparisons."""
    x = RNG.integers(0, 100_000, 1_000_000).astype("int32")
    run = keras.jit(lambda x: ops.bincount(x, minlength=100_000))
    np.testing.assert_array_equal(run(x), np.bincount(x, minlength=100_000))
    np.testing.assert_array_equal(ops.bincount(x), np.bincount(x))


def test_gradients_go_to_the_weights():
    x, weights = np.array([0, 2, 2]), np.array([1.0, 2.0, 3.0], "float32")
    factors = np.array([5.0, 6.0, 7.0], "float32")
    found = keras.grad(lambda w: ops.sum(factors * ops.bincount(x, weights=w)))(weights)
    np.testing.assert_array_equal(found, [5, 7, 7])


def test_an_unknown_batch_in_a_functional_model():
    x = keras.Input((12,), dtype="int32")
    model = keras.Model(x, ops.bincount(x, minlength=4))
    data = RNG.integers(0, 4, (5, 12)).astype("int32")
    np.testing.assert_array_equal(model(data), ops.bincount(data, minlength=4))
