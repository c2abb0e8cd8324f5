"""Every public name of `keras.utils` loads, and seeds and sessions do what they say."""

from __future__ import annotations

import random

import numpy as np
import pytest

import kcompile as keras


def test_names_load():
    names = [name for name in dir(keras.utils) if not name.startswith("_")]
    assert {"Progbar", "PyDataset", "Sequence", "set_random_seed", "to_categorical"} <= set(names)
    for name in names:
        assert getattr(keras.utils, name) is getattr(keras.utils, name)
    assert keras.utils.Sequence is keras.utils.PyDataset
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = keras.utils.nothing


def test_the_seed_reaches_weights_and_order():
    def fitted():
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.5)])
        model.compile("sgd", "mse", run_eagerly=True)
        x = np.random.default_rng(0).normal(size=(12, 4))
        model.fit(x, x[:, :3], batch_size=4, epochs=2, verbose=0)
        return model.get_weights()

    for a, b in zip(fitted(), fitted(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_seeds():
    keras.utils.set_random_seed(5)
    first = random.random(), np.random.rand()
    keras.utils.set_random_seed(5)
    assert (random.random(), np.random.rand()) == first
    with pytest.raises(ValueError, match="`seed` argument to be an integer. Received: seed=a"):
        keras.utils.set_random_seed("a")


def test_a_cleared_session_counts_names_anew():
    keras.layers.Dense(1)
    keras.utils.clear_session()
    assert [keras.layers.Dense(1).name for _ in range(2)] == ["dense", "dense_1"]
