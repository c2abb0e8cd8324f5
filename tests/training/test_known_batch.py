"""Code of the user's that needs the batch's size as a number: constants with so many rows."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops

SIZE = 4
RNG = np.random.default_rng(2)
X = RNG.normal(size=(12, 3)).astype("float32")
Y = RNG.normal(size=(12, 1)).astype("float32")


class Beside(layers.Layer):
    """Puts a column of a fixed length beside its input."""

    def call(self, x):
        return ops.concatenate([x, np.arange(SIZE, dtype="float32")[:, None]], axis=1)


def network():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((3,), batch_size=SIZE), Beside(), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


def expected_outputs(model, x):
    return np.concatenate([x, np.arange(SIZE, dtype="float32")[:, None]], axis=1) @ model.get_weights()[0]


def test_outputs():
    model = network()
    for found in (model(X[:SIZE]), model.predict(X[:SIZE], verbose=0), model.predict_on_batch(X[:SIZE])):
        np.testing.assert_allclose(found, expected_outputs(model, X[:SIZE]), rtol=1e-5, atol=1e-6)
    parts = [expected_outputs(model, X[k : k + SIZE]) for k in range(0, 12, SIZE)]
    found = model.predict(X, batch_size=SIZE, verbose=0)
    np.testing.assert_allclose(found, np.concatenate(parts), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shuffle", [False, True])
def test_fit_is_as_batch_by_batch(shuffle):
    model, other = network(), network()
    history = model.fit(X, Y, batch_size=SIZE, shuffle=shuffle, verbose=0, epochs=2).history["loss"]
    if shuffle:
        return
    for _ in range(2):
        losses = [other.train_on_batch(X[k : k + SIZE], Y[k : k + SIZE]) for k in range(0, 12, SIZE)]
    np.testing.assert_allclose(history[-1], np.mean(losses), rtol=1e-5)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_another_size_is_an_error_and_the_model_stays_usable():
    model = network()
    model.fit(X, Y, batch_size=SIZE, verbose=0)
    with pytest.raises(ValueError, match="3"):
        model.predict(X[:3], verbose=0)
    with pytest.raises(ValueError):
        model.fit(X[:10], Y[:10], batch_size=SIZE, verbose=0)  # the last batch has two rows
    model.fit(X, Y, batch_size=SIZE, verbose=0)


class OwnStep(keras.Model):
    """A train_step that makes labels of a fixed length, as many GANs do."""

    def __init__(self):
        super().__init__()
        self.score = layers.Dense(1)

    def call(self, x):
        return self.score(x)

    def train_step(self, x):
        labels = ops.concatenate([ops.ones((SIZE, 1)), ops.zeros((SIZE, 1))], axis=0)
        with keras.GradientTape() as tape:
            scores = self(ops.concatenate([x, -x], axis=0))
            loss = ops.mean(ops.square(labels - scores))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@pytest.mark.parametrize("eager", [False, True])
def test_a_step_with_labels_of_a_fixed_length(eager):
    model = OwnStep()
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=eager)
    losses = model.fit(X, batch_size=SIZE, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]


def test_any_size_where_nobody_needs_to_know_it():
    model = keras.Sequential([keras.Input((3,), batch_size=SIZE), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=5, verbose=0)
    assert model.predict(X[:3], verbose=0).shape == (3, 1)
    assert all(p.size is None for _, p in model._training.programs._known.values())


def test_mistakes_are_told_as_before():
    """A second attempt, with a number, does not change what is said."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"\(None, 2\)"):
        model.predict(X[:, :2], verbose=0)


class AsksForExtents(layers.Layer):
    """What it computes depends on how many rows there are, and on how long they are."""

    def call(self, x):
        rows = 2.0 if x.shape[0] == SIZE else 5.0
        return x * (rows if x.shape[1] != 4 else 7.0)


@pytest.mark.parametrize("eager", [False, True])
def test_a_comparison_with_an_extent_is_one_of_numbers(eager):
    """As in Keras on JAX, which traces each size by itself."""
    model = keras.Sequential([keras.Input((None,)), AsksForExtents()])
    model.compile(keras.optimizers.SGD(0.05), "mse", run_eagerly=eager)
    for shape, factor in [((4, 3), 2.0), ((3, 3), 5.0), ((4, 5), 2.0), ((3, 4), 7.0)]:
        ones = np.ones(shape, "float32")
        for found in (model(ones), model.predict(ones, verbose=0), model.predict_on_batch(ones)):
            np.testing.assert_array_equal(found, ones * factor)
        assert model.test_on_batch(ones, 0 * ones) == factor**2
    assert model.predict(np.ones((6, 3)), batch_size=4, verbose=0).mean() == (4 * 2 + 2 * 5) / 6
    assert model.evaluate(np.ones((6, 3)), np.zeros((6, 3)), batch_size=4, verbose=0) == (4 * 4 + 2 * 25) / 6


def test_a_mistake_behind_a_comparison_is_told():
    class Fails(layers.Layer):
        def call(self, x):
            return x if x.shape[0] == 83 or x.shape[0] is None else ops.reshape(x, (-1, 5))

        def compute_output_shape(self, shape):
            return shape

    model = keras.Sequential([keras.Input((3,)), Fails()])
    with pytest.raises(ValueError, match="5"):
        model.predict(X[:4], verbose=0)
