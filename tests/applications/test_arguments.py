"""What the functions of `keras.applications` take and refuse, and what becomes of pixels and of outputs."""

from __future__ import annotations

import hashlib
import inspect
import json

import numpy as np
import pytest

import kcompile as keras
from kcompile import applications, layers, ops
from kcompile.applications import imagenet_utils

BAD = [
    ("ResNet50", {"weights": "no such file"}, "None .*'imagenet'.* or the path"),
    ("ResNet50", {"weights": "imagenet", "classes": 10}, "`classes` should be 1000"),
    ("ResNet50", {"weights": "imagenet", "input_shape": (64, 64, 3)}, r"should be \(224, 224, 3\)"),
    (
        "VGG16",
        {"weights": "imagenet", "include_top": False, "input_shape": (64, 64, 1)},
        "must have 3 channels",
    ),
    ("VGG16", {"weights": "imagenet", "classifier_activation": "relu"}, "may be None or 'softmax'"),
    ("ResNet50", {"weights": None, "input_shape": (31, 64, 3)}, "at least 32x32"),
    ("Xception", {"weights": None, "input_shape": (70, 71, 3)}, "at least 71x71"),
    ("InceptionV3", {"weights": None, "input_shape": (74, 75, 3)}, "at least 75x75"),
    ("ResNet50", {"weights": None, "input_shape": (32, 32)}, "tuple of three integers"),
    ("ResNet50", {"weights": None, "input_shape": (None, 32, 3)}, "a static `input_shape` is needed"),
    ("MobileNet", {"weights": "imagenet", "alpha": 0.3}, "alpha=0.3"),
    ("MobileNet", {"weights": "imagenet", "depth_multiplier": 2}, "depth_multiplier=2"),
    ("MobileNetV2", {"weights": "imagenet", "alpha": 0.3}, "alpha=0.3"),
    ("MobileNetV3Small", {"weights": "imagenet", "alpha": 0.3}, "alpha=0.3"),
    ("MobileNetV3Large", {"weights": "imagenet", "minimalistic": True, "alpha": 0.75}, "minimalistic=True"),
]


@pytest.mark.parametrize("name, arguments, message", BAD, ids=lambda x: x if isinstance(x, str) else None)
def test_bad_arguments(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(applications, name)(**arguments)


def test_other_channels_are_taken_with_a_warning():
    with pytest.warns(UserWarning, match="usually expects 1 or 3 input channels"):
        model = applications.MobileNet(weights=None, input_shape=(32, 32, 5), alpha=0.25)
    assert model.layers[1].kernel.shape == (3, 3, 5, 8)


@pytest.mark.parametrize(
    "name, arguments, model_name, shape",
    [
        ("MobileNet", {}, "mobilenet_1.00_224", (None, 224, 224, 3)),
        ("MobileNet", {"input_shape": (96, 64, 3)}, "mobilenet_1.00_96", (None, 96, 64, 3)),
        ("MobileNetV2", {"include_top": False}, "mobilenetv2_1.00_None", (None, None, None, 3)),
        ("MobileNetV3Small", {"include_top": False}, "MobileNetV3Small", (None, None, None, 3)),
        ("NASNetMobile", {"include_top": False}, "nasnet_mobile", (None, 224, 224, 3)),
    ],
)
def test_default_sizes(name, arguments, model_name, shape):
    model = getattr(applications, name)(weights=None, **arguments)
    assert (model.name, model.input_shape) == (model_name, shape)


def test_input_tensor():
    image = keras.Input((40, 48, 3))
    scaled = layers.Rescaling(2.0)(image)
    model = applications.MobileNetV2(weights=None, include_top=False, input_tensor=scaled, alpha=0.35)
    assert model.inputs[0] is image and model.layers[1].name == scaled._keras_history[0].name
    assert model.output_shape == (None, 2, 2, 1280)


def test_unknown_pooling_keeps_the_grid():
    """As in Keras."""
    model = applications.MobileNet(
        weights=None, include_top=False, input_shape=(32, 32, 3), pooling="what", alpha=0.25
    )
    assert model.output_shape == (None, 1, 1, 256)


def test_any_size_of_image():
    model = applications.MobileNet(weights=None, include_top=False, pooling="avg", alpha=0.25)
    outputs = [model.call(np.ones((1, h, w, 3), "float32")) for h, w in ((33, 64), (64, 47))]
    assert [y.shape for y in outputs] == [(1, 256), (1, 256)]


def test_channels_first_gives_equal_outputs():
    x = np.random.default_rng(1).normal(size=(2, 35, 32, 3)).astype("float32")
    last = applications.MobileNetV2(weights=None, input_shape=(35, 32, 3), classes=4, alpha=0.35)
    keras.config.set_image_data_format("channels_first")
    try:
        first = applications.MobileNetV2(weights=None, input_shape=(3, 35, 32), classes=4, alpha=0.35)
    finally:
        keras.config.set_image_data_format("channels_last")
    first.set_weights(last.get_weights())
    found = first.call(x.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(found, last.call(x), rtol=1e-5, atol=1e-6)


def test_names_are_functions_with_their_signature():
    assert applications.ResNet50.__name__ == "ResNet50"
    assert inspect.signature(applications.VGG19).parameters["name"].default == "vgg19"
    assert inspect.signature(applications.NASNetLarge).parameters["name"].default == "nasnet_large"
    assert applications.resnet50.ResNet50 is applications.resnet.ResNet50 is applications.ResNet50
    assert "ConvNeXtTiny" in dir(applications) and "resnet_v2" in dir(applications)
    with pytest.raises(AttributeError, match="no attribute 'ResNet51'"):
        _ = applications.ResNet51


# --- pixels and predictions ---------------------------------------------------------------------------------

PIXELS = np.arange(24.0).reshape(2, 4, 3)
WANTED = {  # the first four numbers, by Keras
    "caffe": (-101.939, -115.779, -123.68, -98.939),
    "tf": (-1.0, -0.99215686, -0.98431373, -0.97647059),
    "torch": (-2.11790393, -2.01820728, -1.76958606, -2.06652967),
}


@pytest.mark.parametrize("mode", WANTED)
def test_preprocess_input(mode):
    for pixels in (PIXELS.copy(), PIXELS.astype("uint8")):
        found = imagenet_utils.preprocess_input(pixels, mode=mode)
        np.testing.assert_allclose(found.ravel()[:4], WANTED[mode], rtol=1e-6)
        assert found.dtype == ("float64" if pixels.dtype == "float64" else "float32")
    tensor = keras.Model(image := keras.Input((4, 3)), imagenet_utils.preprocess_input(image, mode=mode))
    np.testing.assert_allclose(
        np.asarray(tensor(PIXELS.astype("float32"))).ravel()[:4], WANTED[mode], rtol=1e-5
    )


@pytest.mark.parametrize("mode", WANTED)
def test_preprocess_channels_first(mode):
    batch = np.stack([PIXELS, 2 * PIXELS])
    last = imagenet_utils.preprocess_input(batch.copy(), mode=mode)
    first = imagenet_utils.preprocess_input(
        batch.transpose(0, 3, 1, 2).copy(), data_format="channels_first", mode=mode
    )
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), last)


@pytest.mark.parametrize(
    "module, mode",
    [
        ("vgg16", "caffe"), ("vgg19", "caffe"), ("resnet", "caffe"), ("resnet50", "caffe"),
        ("resnet_v2", "tf"), ("mobilenet", "tf"), ("mobilenet_v2", "tf"), ("xception", "tf"),
        ("inception_v3", "tf"), ("inception_resnet_v2", "tf"), ("nasnet", "tf"), ("densenet", "torch"),
    ],
)  # fmt: skip
def test_modes_of_the_architectures(module, mode):
    found = getattr(applications, module).preprocess_input(PIXELS.copy())
    np.testing.assert_allclose(found.ravel()[:4], WANTED[mode], rtol=1e-6)


@pytest.mark.parametrize("module", ["mobilenet_v3", "efficientnet", "efficientnet_v2", "convnext"])
def test_models_that_scale_pixels_themselves(module):
    assert getattr(applications, module).preprocess_input(PIXELS) is PIXELS


def test_bad_preprocessing():
    with pytest.raises(ValueError, match="Expected mode"):
        imagenet_utils.preprocess_input(PIXELS, mode="keras")
    with pytest.raises(ValueError, match="Expected data_format"):
        imagenet_utils.preprocess_input(PIXELS, data_format="last")


def test_decode_predictions(tmp_path, monkeypatch):
    names = {str(k): [f"n{k:08d}", f"thing {k}"] for k in range(1000)}
    text = json.dumps(names).encode()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "imagenet_class_index.json").write_bytes(text)
    monkeypatch.setenv("KCOMPILE_HOME", str(tmp_path))
    monkeypatch.setattr(imagenet_utils, "CLASS_DIGEST", hashlib.md5(text).hexdigest())
    imagenet_utils.class_names.cache_clear()
    scores = np.zeros((2, 1000), "float32")
    scores[0, [7, 3]], scores[1, 999] = (0.5, 0.25), 1
    found = applications.vgg16.decode_predictions(ops.convert_to_tensor(scores), top=2)
    imagenet_utils.class_names.cache_clear()
    assert found[0] == [("n00000007", "thing 7", 0.5), ("n00000003", "thing 3", 0.25)]
    assert found[1][0] == ("n00000999", "thing 999", 1.0)


def test_decode_predictions_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"\(samples, 1000\).*\(2, 10\)"):
        imagenet_utils.decode_predictions(np.zeros((2, 10)))
