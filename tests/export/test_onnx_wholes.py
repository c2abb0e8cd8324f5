"""Whole numbers: the pixels of images, and ints, in onnxruntime."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import onnx
import pytest

import kcompile
from kcompile import layers, ops
from tests.export.onnx_tools import LATEST, graph_of, model_of, ops_of, run


@pytest.mark.parametrize(
    ("options", "dtype", "operators"),
    [
        ({}, "uint8", ["Cast", "Resize", "Round", "Mul"]),
        ({"interpolation": "nearest"}, "uint8", ["Resize", "Cast", "Mul"]),
        ({}, "int32", ["Cast", "Resize", "Round", "Clip", "Mul"]),
        ({}, "float32", ["Resize", "Mul"]),
    ],
)
def test_whole_pixels_stay_floats(options, dtype, operators, tmp_path):
    """Those that are resized, rounded and then computed with."""
    rng, x = np.random.default_rng(0), kcompile.Input((9, 9, 3), dtype=dtype)
    model = kcompile.Model(x, layers.Rescaling(1 / 255)(layers.Resizing(18, 18, **options)(x)))
    kcompile.export.onnx.export_onnx(model, path := tmp_path / "m.onnx", verbose=False)
    assert ops_of(onnx.load(path)) == operators
    cubic = kcompile.Model(x, layers.Resizing(18, 18, interpolation="bicubic")(x))
    kcompile.export.onnx.export_onnx(cubic, path.with_name("cubic.onnx"), verbose=False)
    assert ("Clip" in ops_of(onnx.load(path.with_name("cubic.onnx")))) == (dtype != "float32")  # beyond 255
    image = (16 * rng.integers(0, 16, (2, 9, 9, 3))).astype(dtype)  # weights are sixteenths
    np.testing.assert_allclose(run(onnx.load(path), [image])[0], model.predict(image, verbose=0), atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("opset", [13, 18, LATEST])
def test_bytes_are_pooled_and_then_resized(dtype, opset):
    """In 7 to 31 float32 has no scale that gives the size."""
    rng = np.random.default_rng(0)
    for batch, (before, after) in product((False, True), ((3, 9), (7, 31))):
        x = rng.integers(0, 100, (2, 2 * before, 2 * before, 3)).astype(dtype)
        function = partial(pooled_and_resized, size=(after, after))
        model = model_of(graph_of(function, [x], batch), opset)
        np.testing.assert_array_equal(run(model, [x])[0], function(x))


def pooled_and_resized(x, size):
    return ops.image.resize(ops.max_pool(x, 2, 2), size, interpolation="nearest")


@pytest.mark.parametrize("opset", [13, LATEST])
def test_bytes_of_any_size_are_pooled_and_then_resized(opset, tmp_path):
    x = kcompile.Input((None, None, 3), dtype="uint8")
    model = kcompile.Model(x, pooled_and_resized(x, (9, 12)))
    model.export(tmp_path / "m.onnx", verbose=False, opset_version=opset)
    assert kcompile.export.onnx.check(model, tmp_path / "m.onnx") == 0


@pytest.mark.parametrize("size", [(8, 11), (37, 53)])
@pytest.mark.parametrize(("rounding", "dtype"), [(ops.ceil, "uint8"), (ops.floor, "int8")])
def test_pixels_a_little_beyond_the_last_one(rounding, dtype, size):
    """255.00002 and -128.00002: what is between pixels, before it is rounded to the nearest one."""
    limits = np.iinfo(dtype)
    image = np.full((1, 5, 7, 3), limits.max if dtype == "uint8" else limits.min, dtype)

    def resized(x):
        return rounding(ops.image.resize(ops.cast(x, "float32"), size))

    model = model_of(graph_of(lambda x: ops.clip(resized(x), limits.min, limits.max), [image]))
    assert np.unique(run(model, [image])[0]) == image.flat[0]
    there_and_back = model_of(graph_of(lambda x: ops.cast(ops.cast(resized(x), dtype), "float32"), [image]))
    assert ops_of(there_and_back).count("Cast") == 3


def test_ints_are_not_divided_by_0():
    """What is not chosen is computed, too, and onnxruntime divides ints as the processor does."""

    def function(x):
        none = ops.equal(x, 0)
        return ops.where(none, 0, 7 // ops.where(none, 1, x))

    x = np.array([[0, 1, 2, 3]], "int32")
    model = model_of(graph_of(function, [x], batch=True))
    assert ops_of(model).count("Where") == 2
    np.testing.assert_array_equal(run(model, [x])[0], [[0, 7, 3, 2]])


def test_scaling_and_normalization_of_pixels_are_a_product_and_a_sum(tmp_path):
    mean, variance = [0.1, 0.2, 0.3], [1.0, 4.0, 0.25]
    model = kcompile.Sequential(
        [
            kcompile.Input((4, 5, 3)),
            layers.Rescaling(1 / 127.5, -1.0),
            layers.Normalization(-1, mean, variance),
        ]
    )
    model.export(tmp_path / "m.onnx", verbose=False)
    assert ops_of(onnx.load(tmp_path / "m.onnx")) == ["Mul", "Add"]
    assert kcompile.export.onnx.check(model, tmp_path / "m.onnx") < 1e-5
