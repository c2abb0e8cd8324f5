"""Activations by name: all of Keras's names, their values, and how configs write them."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import activations, layers

# keras.activations of Keras 3.15
NAMES = [
    *("celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish"),
    *("hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu"),
    *("sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid"),
    *("sparsemax", "squareplus", "swish", "tanh", "tanh_shrink", "threshold"),
]

X = np.array([-3.0, -1.0, -0.25, 0.0, 0.5, 2.0, 7.0], "float32")


def test_all_names_are_there():
    for name in NAMES:
        assert callable(getattr(activations, name))
    assert activations.get("swish") is activations.silu


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("glu", "threshold")])
def test_each_works_on_arrays_and_placeholders(name):
    function = getattr(activations, name)
    assert function(X).shape == X.shape and np.isfinite(function(X)).all()
    assert function(keras.Input((4,))).shape == (None, 4)
    assert activations.get(name)(X).tolist() == function(X).tolist()


def test_values():
    np.testing.assert_allclose(activations.mish(X), X * np.tanh(np.log1p(np.exp(X))), rtol=1e-5)
    np.testing.assert_allclose(activations.exponential(X), np.exp(X), rtol=1e-5)
    np.testing.assert_allclose(activations.hard_sigmoid(X), np.clip(X / 6 + 0.5, 0, 1), rtol=1e-6)
    np.testing.assert_allclose(activations.glu(X[:4]), X[:2] / (1 + np.exp(-X[2:4])), rtol=1e-6)
    np.testing.assert_allclose(activations.threshold(X, 0.3, 9), np.where(X > 0.3, X, 9))
    np.testing.assert_allclose(activations.sparsemax(X), [0, 0, 0, 0, 0, 0, 1])


@pytest.mark.parametrize(
    "arguments, wanted",
    [
        ({}, [0, 0, 0, 0, 0.5, 2, 7]),
        ({"negative_slope": 0.1}, [-0.3, -0.1, -0.025, 0, 0.5, 2, 7]),
        ({"max_value": 6}, [0, 0, 0, 0, 0.5, 2, 6]),
        ({"threshold": 1}, [0, 0, 0, 0, 0, 2, 7]),
        ({"negative_slope": 0.1, "max_value": 6, "threshold": 1}, [-0.4, -0.2, -0.125, -0.1, -0.05, 2, 6]),
    ],
)
def test_relu_with_arguments(arguments, wanted):
    np.testing.assert_allclose(activations.relu(X, **arguments), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "arguments, dtype, wanted",
    [
        # Keras 3.15 on the same ints: bounds take their dtype.
        ({"threshold": 1}, "int32", [0, 0, 0, 2, 3]),
        ({"threshold": 0.3}, "int32", [0, 0, 1, 2, 3]),
        ({"max_value": 2.5}, "int32", [0, 0, 1, 2, 2]),
        ({"max_value": 2, "threshold": 1}, "int32", [0, 0, 0, 2, 2]),
        ({"threshold": 1, "negative_slope": 1}, "int32", [-3, -1, 0, 2, 3]),
        ({"threshold": 1, "negative_slope": 0.1}, "float32", [-0.3, -0.1, 0, 2, 3]),
    ],
)
def test_relu_of_ints(arguments, dtype, wanted):
    found = activations.relu(np.array([-2, 0, 1, 2, 3], "int32"), **arguments)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_configs():
    assert activations.serialize(activations.relu) == "relu"
    assert activations.serialize(activations.swish) == "silu"
    assert activations.get(None) is activations.linear
    assert activations.deserialize("gelu") is activations.gelu
    data = activations.serialize(layers.ReLU(3))
    assert (data["module"], data["class_name"]) == ("keras.layers", "ReLU")
    with pytest.raises(ValueError, match=r"(?s)identifier: rleu.*'relu'"):
        activations.get("rleu")


def test_own_functions_are_saved_by_registered_name():
    @keras.saving.register_keras_serializable(package="test_activations")
    def squash(x):
        return x / 2

    dense = layers.Dense(2, activation=squash)
    copy = layers.Dense.from_config(dense.get_config())
    assert copy.activation is squash
