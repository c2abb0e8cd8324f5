"""Dimensions that a model leaves open and that meet known ones: 1 or these at run time."""

import numpy as np
import pytest

import kcompile as keras
from kcompile import Input, Model, ops
from kcompile.layers import Add, Concatenate, Dense, Dot, Maximum

KNOWN = np.arange(72, dtype="float32").reshape(9, 8) / 8
FULL, ONE = (4, 9, 8), (4, 1, 8)


def two(function, first=(None, 8), second=(9, 8)):
    inputs = [Input(first), Input(second)]
    return Model(inputs, function(*inputs))


def single(function, shape=(None, 8)):
    x = Input(shape)
    return Model(x, function(x))


# name -> model, the same in NumPy, shapes of inputs
CASES = {
    "add": (lambda: two(lambda x, y: x * 2 + y), lambda x, y: x * 2 + y, [(FULL, FULL), (ONE, FULL)]),
    "both open": (
        lambda: two(lambda x, y: x - y, second=(None, 8)),
        lambda x, y: x - y,
        [(FULL, FULL), (ONE, FULL), (FULL, ONE), (ONE, ONE)],
    ),
    "array": (lambda: single(lambda x: x + KNOWN), lambda x: x + KNOWN, [(FULL,), (ONE,)]),
    "array for the batch": (
        lambda: single(lambda x: x * KNOWN, (8,)),
        lambda x: x * KNOWN,
        [((9, 8),), ((1, 8),)],
    ),
    "where": (
        lambda: single(lambda x: ops.where(x > 0, KNOWN, x)),
        lambda x: np.where(x > 0, KNOWN, x),
        [(FULL,), (ONE,)],
    ),
    "clip": (
        lambda: single(lambda x: ops.clip(x, KNOWN[0], KNOWN[1]), (None,)),
        lambda x: np.clip(x, KNOWN[0], KNOWN[1]),
        [((4, 8),), ((4, 1),)],
    ),
    "matmul": (
        lambda: two(ops.matmul, (None, 3, 4), (5, 4, 2)),
        np.matmul,
        [((2, 5, 3, 4), (2, 5, 4, 2)), ((2, 1, 3, 4), (2, 5, 4, 2))],
    ),
    "Add": (lambda: two(lambda *x: Add()(x)), np.add, [(FULL, FULL), (ONE, FULL)]),
    "Maximum": (lambda: two(lambda *x: Maximum()(x)), np.maximum, [(FULL, FULL), (ONE, FULL)]),
    "Concatenate": (
        lambda: two(lambda *x: Concatenate()(x)),
        lambda *x: np.concatenate(x, axis=-1),
        [(FULL, FULL)],
    ),
    "Dot": (
        lambda: two(lambda *x: Dot(2)(x)),
        lambda x, y: np.einsum("nab,ncb->nac", x, y),
        [((4, 3, 8), FULL), (FULL, FULL)],
    ),
    "broadcast_to": (
        lambda: single(lambda x: ops.broadcast_to(x, FULL)),
        lambda x: np.broadcast_to(x, FULL),
        [(FULL,), ((1, 1, 8),), (ONE,)],
    ),
    "reshape": (
        lambda: single(lambda x: ops.reshape(x, (-1, 8)), (None, 4)),
        lambda x: x.reshape(-1, 8),
        [((4, 2, 4),), ((2, 3, 4),)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_programs_take_what_numpy_takes(name):
    make, reference, sizes = CASES[name]
    model, rng = make(), np.random.default_rng(0)
    for shapes in sizes:
        arrays = [rng.normal(size=s).astype("float32") for s in shapes]
        wanted, given = reference(*arrays), arrays if len(arrays) > 1 else arrays[0]
        results = (model.predict_on_batch(given), np.asarray(model(given)), model.predict(given, verbose=0))
        for found in results:
            assert found.shape == wanted.shape
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def trained_model():
    x, y = Input((None, 4), name="x"), Input((5, 4), name="y")
    z = Dense(4, kernel_initializer=keras.initializers.Constant(0.3))(x) * y + ops.where(y > 0, x, y)
    return Model([x, y], Dense(2, kernel_initializer=keras.initializers.Constant(0.2))(z))


# By Keras 3.15 on JAX: the first row of the first kernel, and the loss, after two epochs and one more step.
KERAS_SAYS = {
    5: ((0.28352, 0.30746, 0.2927, 0.32582), 0.9139),
    1: ((0.29687, 0.29256, 0.29133, 0.30833), 1.07201),
}


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("steps", [5, 1])
def test_a_gradient_sums_over_what_was_broadcast(steps, eagerly):
    model, rng = trained_model(), np.random.default_rng(1)
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=eagerly)
    x = [rng.normal(size=(6, n, 4)).astype("float32") for n in (steps, 5)]
    y = rng.normal(size=(6, 5, 2)).astype("float32")
    model.fit(x, y, batch_size=4, shuffle=False, epochs=2, verbose=0)
    loss = float(model.train_on_batch(x, y))
    row, wanted = KERAS_SAYS[steps]
    np.testing.assert_allclose(model.get_weights()[0][0], row, atol=1e-5)
    assert loss == pytest.approx(wanted, abs=1e-5)


def test_a_call_broadcasts_batches_as_arrays_do():
    model = two(lambda x, y: x + y, (8,), (8,))
    a, b = np.ones((6, 8), "float32"), KNOWN[:1]
    np.testing.assert_array_equal(model([a, b]), a + b)
    np.testing.assert_array_equal(model([b, a]), a + b)
    with pytest.raises(ValueError):
        model([a, KNOWN[:2]])
