"""Layers over steps or images of unknown size: shapes, compiled numbers for several sizes, and ONNX."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import kcompile as keras
from kcompile import layers as L
from tests.export.onnx_tools import run
from tests.layers.check import TOLERANCE

CASES = {
    "conv same": (lambda: L.Conv2D(3, 3, strides=2, padding="same"), (None, None, None, 3)),
    "conv of one pixel": (lambda: L.Conv2D(3, 1, strides=3, padding="same"), (None, None, None, 3)),
    "conv in gaps": (lambda: L.Conv2D(3, 2, strides=3, padding="same"), (None, None, None, 3)),
    "conv": (lambda: L.Conv2D(3, 3, strides=2), (None, None, None, 3)),
    "conv first": (
        lambda: L.Conv2D(3, 3, strides=2, padding="same", data_format="channels_first"),
        (None, 3, None, None),
    ),
    "depthwise": (lambda: L.DepthwiseConv2D(3, strides=2, padding="same"), (None, None, None, 2)),
    "separable": (lambda: L.SeparableConv2D(3, 3, strides=2, padding="same"), (None, None, None, 3)),
    "transposed": (lambda: L.Conv2DTranspose(3, 3, strides=2, padding="same"), (None, None, None, 3)),
    "transposed wide": (lambda: L.Conv2DTranspose(3, 4, strides=3, output_padding=1), (None, None, None, 3)),
    "max": (lambda: L.MaxPooling2D(3, 2, "same"), (None, None, None, 2)),
    "max in gaps": (lambda: L.MaxPooling2D(2, 3, "same"), (None, None, None, 2)),
    "average": (lambda: L.AveragePooling2D(3, 2, "same"), (None, None, None, 2)),
    "average in gaps": (lambda: L.AveragePooling2D(2, 3, "same"), (None, None, None, 2)),
    "whole": (lambda: L.GlobalAveragePooling2D(), (None, 2)),
    "adaptive average": (lambda: L.AdaptiveAveragePooling2D((3, 2)), (None, 3, 2, 2)),
    "adaptive max": (lambda: L.AdaptiveMaxPooling2D((3, 2)), (None, 3, 2, 2)),
    "padded": (lambda: L.ZeroPadding2D(((1, 2), (0, 1))), (None, None, None, 2)),
    "cropped": (lambda: L.Cropping2D(((1, 2), (0, 1))), (None, None, None, 2)),
    "larger": (lambda: L.UpSampling2D((2, 3)), (None, None, None, 2)),
    "interpolated": (lambda: L.UpSampling2D((2, 3), interpolation="bicubic"), (None, None, None, 2)),
    "group": (lambda: L.GroupNormalization(2), (None, None, None, 2)),
    "batch": (lambda: L.BatchNormalization(), (None, None, None, 2)),
}


def made(name):
    layer, shape = CASES[name]
    given = (2, None, None) if name == "conv first" else (None, None, 2)
    inputs = keras.Input(given)
    model = keras.Model(inputs, layer()(inputs))
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1.2, w.shape) for w in model.weights])
    return model, shape, given


def images(given, rows, columns):
    rng = np.random.default_rng(rows)
    sizes = iter((rows, columns))
    return rng.normal(size=(2, *(next(sizes) if d is None else d for d in given))).astype("float32")


@pytest.mark.parametrize("name", CASES)
def test_several_sizes_with_one_model(name):
    model, shape, given = made(name)
    assert model.output_shape == shape
    layer = model.layers[-1]
    for rows, columns in ((7, 8), (8, 5), (6, 9)):
        x = images(given, rows, columns)
        np.testing.assert_allclose(model.predict(x, verbose=0), layer(x), **TOLERANCE)
        assert layer.compute_output_shape(x.shape) == layer(x).shape


@pytest.mark.parametrize("name", CASES)
def test_onnx_with_open_sizes(name, tmp_path):
    model, _, given = made(name)
    model.export(tmp_path / "m.onnx", format="onnx", verbose=False)
    exported = onnx.load(tmp_path / "m.onnx")
    for rows, columns in ((7, 8), (8, 5), (6, 9)):
        x = images(given, rows, columns)
        [found] = run(exported, [x])
        np.testing.assert_allclose(found, model.layers[-1](x), **TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["conv same", "conv in gaps", "max", "average", "transposed", "adaptive max"]
)
def test_training_takes_several_sizes(name):
    model, _, given = made(name)
    model.compile("sgd", "mse")
    for rows, columns in ((7, 8), (5, 6)):
        x = images(given, rows, columns)
        y = np.zeros_like(model.layers[-1](x))
        before = float(np.mean(np.square(model.layers[-1](x))))
        np.testing.assert_allclose(model.train_on_batch(x, y), before, rtol=1e-5)


BUILT = {  # what a layer was built for fits an unknown extent
    "batch": (lambda: L.BatchNormalization(axis=1), (None, None, None, 5)),
    "group": (lambda: L.GroupNormalization(3, axis=1), (None, None, None, 5)),
    "transposed": (lambda: L.Conv2DTranspose(2, 2, data_format="channels_first"), (None, 2, None, 6)),
}


@pytest.mark.parametrize("name", BUILT)
def test_a_built_layer_takes_inputs_of_unknown_sizes(name):
    make, shape = BUILT[name]
    layer, x = make(), np.random.default_rng(1).normal(size=(2, 3, 4, 5)).astype("float32")
    want = layer(x)
    inputs = keras.Input((None,) * (x.ndim - 2) + x.shape[-1:])
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == shape
    np.testing.assert_allclose(model.predict(x, verbose=0), want, **TOLERANCE)


@pytest.mark.parametrize("parts", [2, 5])
def test_open_axes_are_split_into_equal_parts(parts):
    """As many as there are only where the size divides, which a call with arrays tells."""
    x = keras.Input((None, 3))
    split = keras.ops.split(x, parts, axis=1)
    assert [part.shape for part in split] == [(None, None, 3)] * parts
    model = keras.Model(x, split)
    given = images((None, 3), 4 * parts, 0)
    for part, expected in zip(model.predict(given, verbose=0), np.split(given, parts, axis=1), strict=True):
        np.testing.assert_array_equal(part, expected)
    with pytest.raises(ValueError, match="equal parts"):
        model.predict(images((None, 3), 4 * parts + 1, 0), verbose=0)
