"""Losses of a functional model's placeholders: a loss that is a part of the model."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras

RNG = np.random.default_rng(4)
TRUE = RNG.integers(0, 2, (5, 3)).astype("float32")
PREDICTED = RNG.uniform(0.05, 0.95, (5, 3)).astype("float32")
WEIGHTS = np.array([1.0, 0.0, 2.0, 0.5, 1.5], "float32")

FUNCTIONS = [
    "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error", "huber", "log_cosh",
    "mean_squared_logarithmic_error", "cosine_similarity", "hinge", "squared_hinge", "categorical_hinge",
    "kl_divergence", "poisson", "binary_crossentropy", "binary_focal_crossentropy",
    "categorical_crossentropy", "categorical_focal_crossentropy", "dice", "tversky",
]  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    function = getattr(keras.losses, name)
    inputs = [keras.Input((3,)), keras.Input((3,))]
    loss = function(*inputs)
    expected = function(TRUE, PREDICTED)
    assert loss.shape == ((None,) if expected.ndim else ())
    np.testing.assert_allclose(keras.Model(inputs, loss)([TRUE, PREDICTED]), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "none", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("kind", ["MeanSquaredError", "BinaryCrossentropy", "CategoricalFocalCrossentropy"])
def test_classes(kind, reduction, weighted):
    loss = getattr(keras.losses, kind)(reduction=reduction)
    inputs = [keras.Input((3,)), keras.Input((3,)), keras.Input(())][: 3 if weighted else 2]
    arrays = [TRUE, PREDICTED, WEIGHTS][: len(inputs)]
    found = keras.Model(inputs, loss(*inputs))(arrays)
    np.testing.assert_allclose(found, loss(*arrays), rtol=1e-5, atol=1e-6)


def test_labels_that_are_left_out():
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=1)
    labels = np.array([0, 1, 2, 1, 0], "int32")
    inputs = [keras.Input((), dtype="int32"), keras.Input((3,))]
    np.testing.assert_allclose(
        keras.Model(inputs, loss(*inputs))([labels, PREDICTED]), loss(labels, PREDICTED), rtol=1e-5
    )


def test_a_dtype_of_its_own():
    loss = keras.losses.MeanSquaredError(dtype="float64", reduction="none")
    assert loss(keras.Input((3,)), keras.Input((3,))).dtype == "float64"
