"""Training steps in half and double precision, with labels of other shapes, and of open sizes."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest

import kcompile
from kcompile import layers, losses, ops, optimizers
from kcompile.core import dtypes
from kcompile.export.onnx.signature import Spec
from tests.cli.cli_tools import call
from tests.export.networks import POLICIES
from tests.export.test_onnx_training import Runner


class Halves:
    """As `Runner`; the state stays with onnxruntime, whose arrays for Python have no bfloat16."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = [one.name for one in self.session.get_inputs()]
        self.outputs = [one.name for one in self.session.get_outputs()]
        self.back = json.loads(self.session.get_modelmeta().custom_metadata_map["kcompile.state"])
        self.state = {}

    def loss(self, *arrays):
        make = onnxruntime.OrtValue.ortvalue_from_numpy
        feed = {name: make(a) for name, a in zip(self.inputs, arrays, strict=False)} | self.state
        found = dict(zip(self.outputs, self.session.run_with_ort_values(self.outputs, feed), strict=True))
        self.state |= {name: found[new] for name, new in self.back.items()}
        return float(found["loss"].numpy())


def dense():
    return [kcompile.Input((6,)), layers.Dense(5, activation="tanh"), layers.Dense(3)]


def convolutional():
    return [
        kcompile.Input((8, 8, 3)), layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(6, 3, activation="gelu"), layers.Flatten(), layers.LayerNormalization(),
        layers.Dense(3),
    ]  # fmt: skip


def recurrent():
    return [kcompile.Input((5, 3)), layers.LSTM(4, return_sequences=True), layers.GRU(4), layers.Dense(3)]


def embedded():
    inputs = kcompile.Input((5,), dtype="int32")
    return [inputs, layers.Embedding(11, 4), layers.GlobalAveragePooling1D(), layers.Dense(3)]


@pytest.mark.parametrize("network", [dense, convolutional, recurrent, embedded])
def test_policies(network, policy, tmp_path):
    opset = (13, 20)[POLICIES.index(policy) % 2 ^ (network in (dense, recurrent))]  # each of both somewhere
    kcompile.utils.set_random_seed(3)
    model = kcompile.Sequential(network())
    model.compile(optimizers.SGD(0.05), "mse")
    model.export(tmp_path / "step.onnx", training=True, verbose=False, opset_version=opset)
    runner, rng = Halves(tmp_path / "step.onnx"), np.random.default_rng(0)
    limit = 4 * dtypes.tolerance(policy.removeprefix("mixed_"))
    for _ in range(3):
        shape, is_int = (4, *model.inputs[0].shape[1:]), model.inputs[0].dtype == "int32"
        x = rng.integers(0, 11, shape, "int32") if is_int else rng.normal(size=shape).astype("float32")
        y = rng.normal(size=(4, 3)).astype("float32")
        assert runner.loss(x, y) == pytest.approx(model.train_on_batch(x, y), rel=max(limit, 1e-5))


def test_the_maximum_of_a_window_is_found_in_float16(tmp_path):
    """onnxruntime leaves MaxPool of float16 unrounded, so none of the window's elements equals its result."""
    kcompile.utils.set_random_seed(3)
    parts = convolutional()
    model = kcompile.Sequential([parts[0], *(type(p).from_config(p.get_config() | {"dtype": "float16"})
                                             for p in parts[1:])])  # fmt: skip
    model.compile(optimizers.SGD(1.0), "mse")
    bias = model.layers[0].bias
    model.export(tmp_path / "step.onnx", training=True, verbose=False)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(0)
    x, y = rng.normal(size=(4, 8, 8, 3)).astype("float32"), rng.normal(size=(4, 3)).astype("float32")
    runner.step(x, y)
    model.train_on_batch(x, y)
    wanted = np.asarray(bias.array, "float32")  # minus the gradient, as it was zero
    np.testing.assert_allclose(runner.state[bias.path], wanted, atol=0.01 * np.abs(wanted).max())


METHODS = ["SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Adafactor", "Nadam", "Ftrl"]
METHODS += ["Lion", "Lamb", "Muon"]


@pytest.mark.parametrize("name", METHODS)
def test_optimizers_over_forty_steps(name, tmp_path):
    kcompile.utils.set_random_seed(1)
    model = kcompile.Sequential(dense())
    model.compile(getattr(optimizers, name)(0.01), "mse")
    model.export(tmp_path / "step.onnx", training=True, verbose=False)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(0)
    for _ in range(40):
        x, y = (rng.normal(size=(4, n)).astype("float32") for n in (6, 3))
        assert runner.step(x, y)["loss"] == pytest.approx(model.train_on_batch(x, y), rel=1e-5)


@pytest.mark.parametrize("opset", [13, 20])
@pytest.mark.parametrize("steps", [10, None])
def test_connectionist_temporal_classification(steps, opset, tmp_path):
    """Rows of labels of any length, which is not that of the scores."""
    kcompile.utils.set_random_seed(4)
    x = kcompile.Input((steps, 3), name="x")
    model = kcompile.Model(x, layers.Dense(5)(layers.Dense(8, activation="tanh")(x)))
    model.compile("adam", losses.CTC())
    model.export(tmp_path / "step.onnx", training=True, verbose=False, opset_version=opset)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(1)
    shape = next(one.shape for one in runner.session.get_inputs() if one.name == "y")
    assert shape == ["batch", "y_length"]
    for count, labels in ((9, 2), (6, 4), (8, 3)):
        x = rng.normal(size=(4, steps or count, 3)).astype("float32")
        y = rng.integers(1, 5, (4, labels), "int32")
        y[0, -1] = 0  # one label less
        assert runner.step(x, y)["loss"] == pytest.approx(model.train_on_batch(x, y), rel=1e-5)


def test_labels_as_the_signature_says(tmp_path):
    """A second structure: here int8 labels of a dimension that nothing tells."""

    def longest(y_true, y_pred):
        return ops.mean(y_pred, axis=-1) * ops.cast(ops.sum(y_true, axis=-1), "float32")

    model = kcompile.Sequential([kcompile.Input((4,), name="x"), layers.Dense(2)])
    model.compile("sgd", longest)
    signature = [Spec((None, 4), "float32", "x"), Spec((None, "words"), "int8", "text")]
    model.export(tmp_path / "step.onnx", training=True, verbose=False, input_signature=signature)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(1)
    found = {one.name: (one.type, one.shape) for one in runner.session.get_inputs()}
    assert found["text"] == ("tensor(int8)", ["batch", "words"])
    x, y = rng.normal(size=(3, 4)).astype("float32"), rng.integers(-4, 5, (3, 7)).astype("int8")
    assert runner.step(x, y)["loss"] == pytest.approx(model.train_on_batch(x, y), rel=1e-5)
    with pytest.raises(ValueError, match="one of labels and one of weights"):
        model.export(tmp_path / "no.onnx", training=True, input_signature=[*signature, *signature])
    assert not (tmp_path / "no.onnx").exists()


def test_labels_of_the_signature_on_the_command_line(tmp_path):
    model = kcompile.Sequential([kcompile.Input((None, 3), name="x"), layers.Dense(5)])
    model.compile("sgd", losses.CTC())
    model.save(tmp_path / "m.keras")
    wanted = ("--input-signature", "x=float32[?,frames,3]", "--input-signature", "y=int32[?,letters]")
    result = call("export", tmp_path / "m.keras", "-o", tmp_path / "s.onnx", "--training", *wanted)
    assert result.exit_code == 0, result.output
    found = {one.name: one.shape for one in Runner(tmp_path / "s.onnx").session.get_inputs()}
    assert found["x"] == ["batch", "frames", 3] and found["y"] == ["batch", "letters"]


def halved(name):
    pool = {
        "maximum": layers.MaxPooling2D(2),
        "mean": layers.AveragePooling2D(2),
        "strides": layers.Conv2D(4, 3, strides=2, padding="same"),
    }
    return pool[name]


@pytest.mark.parametrize("opset", [13, 20])
@pytest.mark.parametrize("way", ["maximum", "mean", "strides"])
def test_images_of_any_even_size(way, opset, tmp_path):
    """Down and up again, joined with what was there before: heights and widths must be even."""
    kcompile.utils.set_random_seed(4)
    x = kcompile.Input((None, None, 1), name="x")
    before = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    below = layers.Conv2D(6, 3, padding="same", activation="relu")(halved(way)(before))
    up = layers.Conv2DTranspose(4, 2, strides=2)(below)
    below = layers.UpSampling2D(2, interpolation="bilinear")(below)
    model = kcompile.Model(x, layers.Conv2D(2, 1)(layers.Concatenate()([before, up, below])))
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    model.export(tmp_path / "step.onnx", training=True, verbose=False, opset_version=opset)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(1)
    for height, width in ((8, 12), (16, 8), (4, 4)):
        x = rng.normal(size=(2, height, width, 1)).astype("float32")
        y = rng.integers(0, 2, (2, height, width), "int32")
        assert runner.step(x, y)["loss"] == pytest.approx(model.train_on_batch(x, y), rel=1e-5)


@pytest.mark.parametrize("shape", [(), (5,), (5, 2)])
def test_embeddings_of_numbers_of_any_rank_in_opset_13(shape, tmp_path):
    kcompile.utils.set_random_seed(4)
    x = kcompile.Input(shape, dtype="int32", name="x")
    model = kcompile.Model(x, layers.Dense(1)(layers.Flatten()(layers.Embedding(11, 4)(x))))
    model.compile("adagrad", "mse")
    model.export(tmp_path / "step.onnx", training=True, verbose=False, opset_version=13)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(1)
    for _ in range(3):
        x, y = rng.integers(0, 11, (6, *shape), "int32"), rng.normal(size=(6, 1)).astype("float32")
        assert runner.step(x, y)["loss"] == pytest.approx(model.train_on_batch(x, y), rel=1e-5)
