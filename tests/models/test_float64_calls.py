"""Models in float64 called on float64 arrays: nothing passes through float32 on the way."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers

X = np.random.default_rng(0).normal(size=(2, 6, 6, 3))


def functional(layer):
    inputs = keras.Input((6, 6, 3), dtype="float64")
    return keras.Model(inputs, layer(inputs))


class Subclassed(keras.Model):
    def __init__(self, layer):
        super().__init__(dtype="float64")
        self.layer = layer

    def call(self, x):
        return self.layer(x)


def sequential(layer):
    return keras.Sequential([keras.Input((6, 6, 3), dtype="float64"), layer])


KINDS = {"functional": functional, "sequential": sequential, "own": Subclassed}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", [None, "tanh", "softmax"])
def test_a_compiled_call_has_the_digits_of_the_layer(kind, activation):
    layer = layers.Conv2D(4, 3, activation=activation, dtype="float64")
    expected = layer(X)
    found = KINDS[kind](layer)(X)
    assert found.dtype == expected.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_predict_brings_data_to_the_default_float_first():
    """As in Keras, whose data adapters do."""
    layer = layers.Conv2D(4, 3, dtype="float64")
    model = functional(layer)
    expected = layer(X.astype("float32").astype("float64"))
    found = model.predict(X, verbose=0)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_a_float32_model_takes_float64_as_before():
    model = keras.Sequential([layers.Dense(3)])
    assert model(X).dtype == np.float32
    np.testing.assert_array_equal(model(X), model(X.astype("float32")))
