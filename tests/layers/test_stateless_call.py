"""`stateless_call`: what it gives for given values of the variables, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")


def network():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, kernel_regularizer="l2"),
            layers.BatchNormalization(momentum=0.5),
            layers.Dropout(0.5, seed=1),
            layers.ActivityRegularization(l2=0.1),
        ]
    )
    model.set_weights([np.full(w.shape, 0.5, w.dtype) for w in model.get_weights()])
    return model


def values(variables):
    return [v.numpy().copy() for v in variables]


def test_nothing_changes_but_what_is_returned():
    model = network()
    model(X)
    before, losses = values(model.variables), [float(x) for x in model.losses]
    trainable, others = values(model.trainable_variables), values(model.non_trainable_variables)
    outputs, new, added = model.stateless_call(trainable, others, X, training=True, return_losses=True)
    assert len(added) == 2 and len(new) == len(others)
    for a, b in zip(values(model.variables), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [float(x) for x in model.losses] == losses
    expected = model(X, training=True)  # now the same, with its effects
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)
    for a, b in zip(new, model.non_trainable_variables, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-5)
    np.testing.assert_allclose(added, [float(x) for x in model.losses], rtol=1e-5)


def test_values_given_are_those_used():
    layer = layers.Dense(2)
    layer.build((None, 3))
    kernel, bias = np.ones((3, 2), "float32"), np.array([1, 2], "float32")
    outputs, others = layer.stateless_call([kernel, bias], [], X)
    np.testing.assert_allclose(outputs, X @ kernel + bias, rtol=1e-6)
    assert others == []


def test_it_can_be_compiled_and_differentiated():
    layer = layers.Dense(2)
    layer.build((None, 3))

    def total(trainable, x):
        return ops.sum(ops.square(layer.stateless_call(trainable, [], x)[0]))

    trainable = values(layer.trainable_variables)
    loss, (kernel, bias) = keras.jit(keras.value_and_grad(total))(trainable, X)
    outputs = X @ trainable[0] + trainable[1]
    np.testing.assert_allclose(loss, (outputs**2).sum(), rtol=1e-5)
    np.testing.assert_allclose(kernel, 2 * X.T @ outputs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bias, 2 * outputs.sum(0), rtol=1e-4, atol=1e-5)


def test_misuse():
    with pytest.raises(ValueError, match="must be built"):
        layers.Dense(2).stateless_call([], [], X)
    model = network()
    with pytest.raises(ValueError, match="`trainable_variables` must be .* length 1, but expected 4"):
        model.stateless_call([0], values(model.non_trainable_variables), X)
    with pytest.raises(ValueError, match="`non_trainable_variables` must be"):
        model.stateless_call(values(model.trainable_variables), [], X)
