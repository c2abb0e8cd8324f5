"""Weights from files: a path, or the file that Keras publishes, whose hash must be right."""

from __future__ import annotations

import hashlib
from urllib.error import URLError

import h5py
import numpy as np
import pytest

import kcompile as keras
from kcompile import applications
from kcompile.applications import building, trained
from kcompile.utils import downloads
from tests.parity.application_digests import fill

SMALL = {"alpha": 0.35, "input_shape": (32, 32, 3), "classes": 3}


def published(path, model):
    """A file in the layout of those on the web: layers by name, their weights in Keras 2's order."""
    with h5py.File(path, "w") as file:
        owners = [layer for layer in model.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in owners]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.4.0"
        for layer in owners:
            group, weights = file.create_group(layer.name), layer.trainable_weights
            weights = [*weights, *layer.non_trainable_weights]
            names = [f"{layer.name}/{w.name}:0".encode() for w in weights]
            group.attrs["weight_names"] = names
            for name, w in zip(names, weights, strict=True):
                group[name.decode()] = w.numpy()


def assert_equal_weights(found, wanted):
    for a, b in zip(found.weights, wanted.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


@pytest.mark.parametrize("ending", [".h5", ".weights.h5"])
def test_a_path(tmp_path, ending):
    model = applications.MobileNetV2(weights=None, **SMALL)
    fill(model)
    path = tmp_path / f"mine{ending}"
    published(path, model) if ending == ".h5" else model.save_weights(path)
    assert_equal_weights(applications.MobileNetV2(weights=str(path), **SMALL), model)


def test_a_file_of_another_architecture(tmp_path):
    path = tmp_path / "mine.h5"
    published(path, applications.MobileNet(weights=None, alpha=0.25, input_shape=(32, 32, 3)))
    with pytest.raises(ValueError, match="layers"):
        applications.MobileNetV2(weights=str(path), **SMALL)


@pytest.fixture
def web(tmp_path, monkeypatch):
    """The cache is empty, and the web answers with the bytes that this function is given."""
    monkeypatch.setenv("KCOMPILE_HOME", str(tmp_path))
    asked = []

    def serve(content):
        def download(origin, target, check):
            asked.append(origin)
            target.write_bytes(content)
            if check is not None and not check.accepts(target):
                target.unlink()
                raise ValueError(f"{origin}: the hash of the downloaded file is not {check.digest}")

        monkeypatch.setattr(downloads, "download", download)
        return asked

    return serve


def test_imagenet_weights_are_fetched_once(tmp_path, monkeypatch, web):
    model = applications.ResNet50(weights=None, include_top=False, input_shape=(32, 32, 3))
    fill(model)
    published(tmp_path / "content.h5", model)
    content = (tmp_path / "content.h5").read_bytes()
    asked = web(content)
    digest = hashlib.md5(content).hexdigest()
    from kcompile.applications import residual

    monkeypatch.setitem(residual.FILES, "resnet50", ("0" * 32, digest))
    for _ in range(2):  # the second time from the cache
        found = applications.ResNet50(include_top=False, input_shape=(64, 64, 3))
        assert_equal_weights(found, model)
    name = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert asked == [f"https://storage.googleapis.com/tensorflow/keras-applications/resnet/{name}"]
    assert (tmp_path / "models" / name).is_file()


def test_a_damaged_download_is_refused(tmp_path, web):
    web(b"not the file")
    with pytest.raises(ValueError, match="hash"):
        applications.ResNet50(include_top=False)
    assert not list((tmp_path / "models").glob("*.h5"))


def test_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setenv("KCOMPILE_HOME", str(tmp_path))

    def refuse(*_, **__):
        raise URLError("Name or service not known")

    monkeypatch.setattr(downloads, "urlopen", refuse)
    place = tmp_path / "models" / "mobilenet_1_0_224_tf.h5"
    with pytest.raises(ConnectionError, match=f"(?s)Put the file there yourself: https://.* -> {place}"):
        applications.MobileNet()


ADDRESSES = [  # as Keras has them
    ("VGG16", {}, "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5", 32),
    ("VGG19", {"include_top": False}, "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", 32),
    ("ResNet152V2", {}, "resnet/resnet152v2_weights_tf_dim_ordering_tf_kernels.h5", 32),
    ("DenseNet201", {}, "densenet/densenet201_weights_tf_dim_ordering_tf_kernels.h5", 32),
    ("InceptionV3", {}, "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels.h5", 32),
    (
        "InceptionResNetV2",
        {"include_top": False},
        "inception_resnet_v2/inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        32,
    ),
    ("Xception", {}, "xception/xception_weights_tf_dim_ordering_tf_kernels.h5", 32),
    ("MobileNet", {"alpha": 0.25, "include_top": False}, "mobilenet/mobilenet_2_5_224_tf_no_top.h5", 0),
    ("MobileNet", {"input_shape": (128, 128, 3)}, "mobilenet/mobilenet_1_0_128_tf.h5", 0),
    (
        "MobileNetV2",
        {"alpha": 0.5, "input_shape": (96, 96, 3)},
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.5_96.h5",
        0,
    ),
    (
        "MobileNetV3Large",
        {"minimalistic": True, "include_top": False},
        "mobilenet_v3/weights_mobilenet_v3_large_minimalistic_224_1.0_float_no_top_v2.h5",
        32,
    ),
    ("EfficientNetB0", {"include_top": False}, "efficientnetb0_notop.h5", 32),
    ("EfficientNetV2S", {}, "efficientnet_v2/efficientnetv2-s.h5", 32),
    ("ConvNeXtTiny", {"include_top": False}, "convnext/convnext_tiny_notop.h5", 64),
    ("NASNetMobile", {"include_top": False}, "nasnet/NASNet-mobile-no-top.h5", 32),
]


@pytest.mark.parametrize("name, options, address, length", ADDRESSES, ids=lambda x: str(x)[:60])
def test_addresses(monkeypatch, name, options, address, length):
    class Asked(Exception):
        pass

    def fetch(name, origin, file_hash, folder):
        raise Asked(origin, file_hash, folder)

    monkeypatch.setattr(trained, "fetch", fetch)
    with pytest.raises(Asked) as caught:
        getattr(applications, name)(**options)
    origin, digest, folder = caught.value.args
    assert origin.endswith(f"keras-applications/{address}") and folder == "models"
    assert len(digest or "") == length


def test_a_warning_where_no_weights_fit_the_size(monkeypatch):
    monkeypatch.setattr(building, "finished", lambda start, x, options, fetch: fetch(options))
    monkeypatch.setattr(trained, "fetch", lambda name, *_: name)
    with pytest.warns(UserWarning, match=r"Weights for input shape \(224, 224\) will be loaded"):
        name = applications.MobileNetV2(include_top=False, input_shape=(100, 100, 3))
    assert name.endswith("_1.0_224_no_top.h5")


def test_a_model_goes_through_a_file(tmp_path):
    """Layers of the library that Keras does not publish are found again."""
    x = np.zeros((1, 32, 32, 3), "float32")
    for name in ("ConvNeXtTiny", "MobileNetV3Small"):
        model = getattr(applications, name)(weights=None, input_shape=(32, 32, 3), include_top=False)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(again.call(x), model.call(x))
        assert keras.models.clone_model(model).count_params() == model.count_params()
