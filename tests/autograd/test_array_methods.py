"""Recorded tensors behave as arrays: methods, NumPy's functions, Jacobians of tapes, `reset`."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops

GradientTape = keras.GradientTape
X = np.random.default_rng(0).uniform(0.5, 2.0, size=(4, 3)).astype("float32")
SHAPED = [
    lambda x: x.sum(),
    lambda x: x.mean(axis=1),
    lambda x: x.max(axis=0, keepdims=True),
    lambda x: x.max(axis=0, initial=1.5),
    lambda x: x.std(),
    lambda x: x.reshape(2, 6),
    lambda x: x.reshape((-1,)),
    lambda x: x.T,
    lambda x: x.transpose(1, 0),
    lambda x: x.flatten(),
    lambda x: x[None].squeeze(axis=0),
    lambda x: x.clip(0.7, 1.5),
    lambda x: x.cumsum(axis=1),
    lambda x: x.astype("float64"),
    lambda x: x.astype(np.float16),
    np.exp,
    np.sqrt,
    np.sum,
    lambda x: np.mean(x, axis=0),
    lambda x: np.maximum(x, np.float32(1)),
    lambda x: np.ones((2, 4), "float32") @ x,
    lambda x: np.full((4, 3), 3, "float32") / x,
    lambda x: np.reshape(x, (3, 4)),
    lambda x: np.transpose(x),
]


@pytest.mark.parametrize("function", SHAPED)
def test_methods_and_functions_of_arrays(function):
    expected = function(X)
    with GradientTape() as tape:
        found = function(tape.watch(X))
        assert found.shape == expected.shape and found.dtype == str(expected.dtype)
        loss = ops.sum(ops.cast(found, "float32") * 2)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3 if expected.dtype == "float16" else 1e-5)
    assert np.any(tape.gradient(loss, X) != 0)
    traced = keras.jit(function)(X)
    assert traced.shape == expected.shape and traced.dtype == expected.dtype
    np.testing.assert_allclose(traced, expected, rtol=1e-3 if expected.dtype == "float16" else 1e-5)


def test_numbers_of_what_is_recorded():
    with GradientTape() as tape:
        x = tape.watch(X)
        assert x.sum().item() == pytest.approx(float(X.sum()), rel=1e-5)
        assert x.tolist() == X.tolist() and x.size == 12 and x.ndim == 2


def test_an_array_that_is_added_to_becomes_recorded():
    with GradientTape() as tape:
        x = tape.watch(X)
        total = np.ones((4, 3), "float32")
        total += x * x
        loss = total.sum()
    np.testing.assert_allclose(tape.gradient(loss, X), 2 * X, rtol=1e-6)


def test_numpy_cannot_write_tensors_into_arrays():
    with GradientTape() as tape:
        x = tape.watch(X)
        with pytest.raises(TypeError):
            np.add(x, x, out=np.zeros((4, 3), "float32"))
        with pytest.raises(TypeError):
            np.add.reduceat(x, [0, 1])
        with pytest.raises(ValueError, match="order"):
            x.reshape(12, order="F")


def test_a_jacobian():
    w = keras.Variable(np.float32([[1, 2], [3, 4], [5, 6]]))
    unused = keras.Variable(np.ones(2, "float32"))
    with GradientTape() as tape:
        tape.watch(X)
        y = ops.matmul(ops.square(X), w)
    by_x, by_w, by_none = tape.jacobian(y, [X, w, unused])
    expected = np.zeros((4, 2, 4, 3), "float32")
    for row in range(4):
        expected[row, :, row] = 2 * X[row] * np.array(w).T
    np.testing.assert_allclose(by_x, expected, rtol=1e-6)
    expected = np.zeros((4, 2, 3, 2), "float32")
    for column in range(2):
        expected[:, column, :, column] = X**2
    np.testing.assert_allclose(by_w, expected, rtol=1e-6)
    assert by_none is None
    assert tape.jacobian(y, unused, unconnected_gradients="zero").shape == (4, 2, 2)
    rows = tape.batch_jacobian(y, X)
    np.testing.assert_allclose(rows, np.stack([by_x[k, :, k] for k in range(4)]), rtol=1e-6)


def test_a_jacobian_within_a_compiled_function():
    @keras.jit
    def function(x):
        with GradientTape() as tape:
            tape.watch(x)
            y = ops.sin(x)
        return tape.batch_jacobian(y, x), tape.jacobian(y, x)

    rows, whole = function(X)
    expected = np.cos(X)[:, :, None] * np.eye(3, dtype="float32")
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    np.testing.assert_allclose(np.stack([whole[k, :, k] for k in range(4)]), expected, atol=1e-6)


def test_jacobians_of_other_shapes():
    with GradientTape() as tape:
        tape.watch(X)
        y = ops.sum(X, axis=1)[:2]
    with pytest.raises(ValueError, match="the same first dimension"):
        tape.batch_jacobian(y, X)


def test_reset_forgets_what_was_recorded():
    v = keras.Variable(2.0)
    with GradientTape() as tape:
        first = v * v
        tape.reset()
        second = v * 3
    assert float(tape.gradient(second, v)) == 3
    assert tape.gradient(first, v) is None
    with pytest.raises(RuntimeError, match="inside"):
        GradientTape().reset()


def test_what_nobody_watches_has_no_gradient():
    v = keras.Variable(2.0)
    with GradientTape() as tape:
        y = v * v
    assert tape.gradient(y, X) is None
    assert tape.gradient(y, X, unconnected_gradients="zero").shape == X.shape
