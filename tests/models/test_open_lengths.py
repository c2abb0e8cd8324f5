"""Layers in functional models of unknown lengths that need the length as a number."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops

X = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")


def length(x):
    return ops.shape(x)[1]


# What a layer computes, and the same by NumPy.
CALLS = {
    "a loop so many times": (
        lambda x: ops.fori_loop(
            0, length(x), lambda i, a: a + ops.take(x, i, axis=1), ops.zeros_like(x[:, 0])
        ),
        lambda x: x.sum(1),
    ),
    "an identity matrix": (lambda x: ops.matmul(ops.eye(length(x)), x), lambda x: x),
    "a triangle": (lambda x: ops.matmul(ops.tri(length(x)), x), lambda x: x.cumsum(1)),
    "backwards": (lambda x: x[:, ::-1], lambda x: x[:, ::-1]),
    "its root": (lambda x: x / ops.sqrt(length(x)), lambda x: x / np.sqrt(x.shape[1])),
    "a power": (lambda x: x * length(x) ** 0.5, lambda x: x * x.shape[1] ** 0.5),
    "a branch in Python": (
        lambda x: x[:, :5] if length(x) > 5 else 2 * x,
        lambda x: x[:, :5] if x.shape[1] > 5 else 2 * x,
    ),
    "a loop in Python": (lambda x: sum(x[:, i] for i in range(length(x))), lambda x: x.sum(1)),
    "copies": (lambda x: ops.repeat(x[:, :1], length(x), axis=1), lambda x: x[:, :1].repeat(x.shape[1], 1)),
    "the larger of two": (lambda x: x * ops.maximum(length(x), 6), lambda x: x * max(x.shape[1], 6)),
    "a unit at the end": (
        lambda x: ops.one_hot(length(x) - 1, length(x)) + 0 * x[..., 0],
        lambda x: np.eye(x.shape[1])[[-1] * len(x)],
    ),
}


class Call(keras.layers.Layer):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


@pytest.mark.parametrize("name", CALLS)
def test_a_layer_gets_the_length_as_a_number(name):
    function, reference = CALLS[name]
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, Call(function)(inputs))
    assert all(d is None or d == 4 or d == 5 for d in model.output_shape)
    for steps in (5, 3, 7):
        x = np.resize(X, (3, steps, 4))
        for got in (model(x), model.predict(x, verbose=0)):
            np.testing.assert_allclose(got, reference(x), rtol=1e-5, atol=1e-5)


def test_it_trains():
    inputs = keras.Input((None, 4))
    y = keras.layers.Dense(2)(Call(lambda x: x[:, ::-1] / ops.sqrt(length(x)))(keras.layers.Dense(3)(inputs)))
    model = keras.Model(inputs, y)
    model.compile("sgd", "mse")
    losses = [model.train_on_batch(X[:, :n], np.ones((3, n, 2))) for n in (5, 5, 3, 5)]
    assert losses[1] < losses[0]
    assert losses[3] < losses[1]


def test_a_recurrent_layer_may_be_unrolled():
    inputs = keras.Input((None, 4))
    layer = keras.layers.GRU(2, unroll=True)
    model = keras.Model(inputs, layer(inputs))
    rolled = keras.layers.GRU.from_config({**layer.get_config(), "unroll": False})
    rolled.build((None, None, 4))
    rolled.set_weights(layer.get_weights())
    for steps in (5, 2):
        np.testing.assert_allclose(model(X[:, :steps]), rolled(X[:, :steps]), rtol=1e-5, atol=1e-6)


def test_what_is_unknown_in_two_traces_is_unknown():
    x = keras.KerasTensor((None, None, 4))
    spec = Call(lambda x: x[:, : max(length(x) // 2, 50), : 2 if length(x) > 0 else 1]).compute_output_spec(x)
    assert spec.shape == (None, 50, 2)
    spec = Call(lambda x: x[:, : max(length(x) - 10, 1)]).compute_output_spec(x)
    assert spec.shape == (None, None, 4)


def test_a_mistake_is_told_as_without_numbers():
    x = keras.KerasTensor((None, None, 4))
    with pytest.raises(ValueError, match="mine"):

        def wrong(x):
            raise ValueError(f"mine {length(x)}")

        Call(wrong).compute_output_spec(x)
    with pytest.raises(TypeError, match="known only at run time"):  # so many outputs are no structure
        Call(lambda x: [x] * (length(x) if length(x) > 3 else 3)).compute_output_spec(x)


def test_no_weight_gets_the_shape_of_a_trial():
    class Flat(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return self.dense(ops.reshape(x, (-1, x.shape[1] * 4)))

    layer = Flat()
    with pytest.raises((TypeError, ValueError)):
        layer(keras.Input((None, 4)))
    assert not layer.dense.built
    assert layer(X).shape == (3, 2)
    assert layer.dense.kernel.shape == (20, 2)


NOTHING = {
    "all but the last": lambda x: x[:, :-1],
    "all but the first": lambda x: x[:, 1:],
    "the first": lambda x: x[:, :1],
    "the last": lambda x: x[:, -1:],
    "in between": lambda x: x[:, -2:1],
    "backwards": lambda x: x[:, ::-1],
    "rolled": lambda x: ops.roll(x, 1, 1),
    "differences": lambda x: ops.diff(x, axis=1),
    "logarithm of a sum": lambda x: ops.logsumexp(x, 1),
    "median": lambda x: ops.median(x, 1),
}


@pytest.mark.parametrize("name", NOTHING)
def test_no_steps_and_no_samples(name):
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, Call(NOTHING[name])(inputs))
    for x in (X, X[:, :0], X[:0], X[:, :1], X[:0, :0]):
        expected = NOTHING[name](x)
        for found in (model(x), model(x), model.predict_on_batch(x)):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("take", "none"), [(lambda x: ops.roll(x[:, 3:], 2, 1), 3), (lambda x: ops.diff(x, 2, 1), 1)]
)
def test_what_is_computed_may_have_no_steps(take, none):
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, Call(take)(inputs))
    for steps in (5, 4, none):
        np.testing.assert_allclose(model(X[:, :steps]), take(X[:, :steps]), rtol=1e-5)


def test_recurrence_without_steps_is_refused_as_on_arrays():
    inputs = keras.Input((None, 4))
    layer = keras.layers.GRU(2, return_sequences=True)
    model = keras.Model(inputs, layer(inputs))
    assert model(X).shape == (3, 5, 2)
    for run in (layer, model):
        with pytest.raises(IndexError):
            run(X[:, :0])
