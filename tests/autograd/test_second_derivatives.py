"""Slopes of slopes, as gradient penalties need them, against finite differences in float64."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile
from kcompile import layers, ops

IMAGES, SEQUENCES = (2, 6, 6, 2), (2, 4, 3)
LAYERS = {
    "convolution": (lambda: layers.Conv2D(3, 3, strides=2, padding="same", dtype="float64"), IMAGES),
    "transposed": (lambda: layers.Conv2DTranspose(3, 3, strides=2, dtype="float64"), IMAGES),
    "separable": (lambda: layers.SeparableConv2D(3, 2, dtype="float64"), IMAGES),
    "max_pooling": (lambda: layers.MaxPooling2D(dtype="float64"), IMAGES),
    "max_pooling_that_overlaps": (lambda: layers.MaxPooling2D(3, 2, "same", dtype="float64"), IMAGES),
    "average_pooling": (lambda: layers.AveragePooling2D(3, 2, "same", dtype="float64"), IMAGES),
    "adaptive_max_pooling": (lambda: layers.AdaptiveMaxPooling2D(4, dtype="float64"), IMAGES),
    "layer_normalization": (lambda: layers.LayerNormalization(dtype="float64"), SEQUENCES),
    "group_normalization": (lambda: layers.GroupNormalization(2, dtype="float64"), IMAGES),
    "lstm": (lambda: layers.LSTM(3, dtype="float64"), SEQUENCES),
    "gru": (lambda: layers.GRU(3, dtype="float64"), SEQUENCES),
    "gelu": (lambda: layers.Activation("gelu", dtype="float64"), SEQUENCES),
    "attention": (lambda: layers.MultiHeadAttention(2, 3, dtype="float64"), SEQUENCES),
}


@pytest.fixture(autouse=True)
def float64():
    kcompile.config.set_floatx("float64")
    yield
    kcompile.config.set_floatx("float32")


def layer_function(name, rng):
    make, shape = LAYERS[name]
    layer = make()
    arguments = 2 if name == "attention" else 1
    layer.build(*[shape] * arguments)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.4)
    return (lambda x: ops.sum(ops.sin(layer(*[x] * arguments)))), rng.normal(size=shape)


@pytest.mark.parametrize("name", LAYERS)
def test_of_layers(name):
    rng = np.random.default_rng(5)
    function, x = layer_function(name, rng)
    d, v = rng.normal(size=(2, *x.shape))
    slope = kcompile.grad(function)

    def along(x):
        return ops.sum(slope(x) * d)

    second = kcompile.grad(along)(x)
    step = 1e-5
    expected = (along(x + step * v) - along(x - step * v)) / (2 * step)
    assert abs(expected) > 1e-3
    np.testing.assert_allclose(np.sum(np.asarray(second) * v), float(expected), rtol=1e-5)


@pytest.mark.parametrize("name", ["max_pooling", "max_pooling_that_overlaps"])
def test_compiled_equals_eager(name):
    function, x = layer_function(name, np.random.default_rng(5))
    slope = kcompile.grad(function)
    second = kcompile.grad(lambda x: ops.sum(ops.square(slope(x))))
    np.testing.assert_allclose(kcompile.jit(second)(x), second(x), rtol=1e-12)
