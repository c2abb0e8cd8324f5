"""Ops in functional models: the file says of each call what the class in Keras takes, and is read again."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops, saving

CLASSES = json.loads((Path(__file__).parent / "fixtures" / "op_classes.json").read_text())
RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 3)).astype("float32")
B = RNG.integers(0, 9, (4, 3)).astype("int32")
S = RNG.normal(size=(4, 3, 3)).astype("float32")
I = RNG.uniform(size=(2, 6, 6, 3)).astype("float32")  # noqa: E741
CASES = {
    "pad": (A, lambda x: ops.pad(x, ((0, 0), (1, 2)), constant_values=0.5)),
    "pad_reflect": (S, lambda x: ops.pad(x, ((0, 0), (1, 1), (0, 0)), mode="reflect")),
    "quantile": (A, lambda x: ops.quantile(x, [0.3, 0.5], axis=-1)),
    "amax": (A, lambda x: ops.amax(x, axis=1)),
    "amin": (A, lambda x: ops.amin(x, axis=1, keepdims=True)),
    "max": (A, lambda x: ops.max(x, axis=1, initial=0.5)),
    "average": (A, lambda x: ops.average(x, axis=-1, weights=np.array([1.0, 2.0, 3.0], "float32"))),
    "bitwise_or": (B, lambda x: ops.bitwise_or(x, np.array([1, 2, 3], "int32"))),
    "digitize": (A, lambda x: ops.digitize(x, np.array([-0.5, 0.0, 0.5], "float32"))),
    "full_like": (A, lambda x: ops.full_like(x, 2.5)),
    "isclose": (A, lambda x: ops.cast(ops.isclose(x, x + 1e-3, rtol=0.1), "float32")),
    "slice": (S, lambda x: ops.slice(x, (0, 1, 0), (2, 2, 3))),
    "slice_update": (S, lambda x: ops.slice_update(x, (0, 1, 0), np.ones((2, 2, 1), "float32"))),
    "scatter_update": (A, lambda x: ops.scatter_update(x, np.array([[0, 1], [1, 2]]), np.ones(2, "float32"))),
    "searchsorted": (A, lambda x: ops.searchsorted(np.array([-1.0, 0.0, 1.0], "float32"), x[0])),
    "segment_sum": (
        A,
        lambda x: ops.segment_sum(ops.transpose(x), np.array([0, 1, 0], "int32"), num_segments=3),
    ),
    "select": (A, lambda x: ops.select([x > 0, x < -1], [x * 2, x * 3], default=7.0)),
    "batch_normalization": (
        A,
        lambda x: ops.batch_normalization(
            x, *np.ones((2, 3), "float32"), -1, offset=np.ones(3, "float32"), scale=np.ones(3, "float32")
        ),
    ),
    "fft": (A, lambda x: ops.fft((x, x * 0.0))[0]),
    "rfft": (A, lambda x: ops.irfft(ops.rfft(x))),
    "stft": (RNG.normal(size=(2, 32)).astype("float32"), lambda x: ops.stft(x, 8, 4, 8)[0]),
    "rearrange": (S, lambda x: ops.rearrange(x, "b (h w) c -> b h w c", h=1)),
    "linspace": (A, lambda x: ops.linspace(x, x + 1.0, num=3)),
    "trapezoid": (A, lambda x: ops.trapezoid(x, dx=0.5, axis=1)),
    "meshgrid": (A, lambda x: ops.meshgrid(x[0], x[1], indexing="ij")[0]),
    "einsum": (S, lambda x: ops.einsum("abc,cd->abd", x, np.ones((3, 2), "float32"))),
    "scale_and_translate": (
        I,
        lambda x: ops.image.scale_and_translate(
            x, (2, 6, 6, 3), np.ones(2, "float32"), np.array([1.0, 0.0], "float32"), (1, 2), "linear"
        ),
    ),
    "where": (A, lambda x: ops.where(x > 0, x, 0.0)),
    "take": (A, lambda x: ops.take(x, np.array([0, 2]), axis=1)),
    "top_k": (A, lambda x: ops.top_k(x, 2)[0]),
    "convolution": (I, lambda x: ops.conv(x, np.ones((3, 3, 3, 2), "float32"), strides=2, padding="same")),
    "attention": (S, lambda x: ops.dot_product_attention(x[:, :, None], x[:, :, None], x[:, :, None])),
    "resize": (I, lambda x: ops.image.resize(x, (4, 4), antialias=True)),
    "norm": (A, lambda x: ops.norm(x, ord=1, axis=-1)),
    "clip": (A, lambda x: ops.clip(x, -0.5, 0.5)),
    "layer_normalization": (A, lambda x: ops.layer_normalization(x, np.ones(3, "float32"))),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_file_with_it(name, tmp_path):
    array, function = CASES[name]
    x = keras.Input(batch_shape=array.shape, dtype=array.dtype.name)
    model = keras.Model(x, function(x))
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        config = json.loads(archive.read("config.json"))
    calls = [layer for layer in config["config"]["layers"] if layer["module"].startswith("keras.src.ops")]
    assert calls
    for call in calls:
        check_call(call)
        operation = next(op for op in model.operations if op.name == call["name"])
        shown = type(operation).__module__, type(operation).__name__
        assert shown == (call["module"], call["class_name"])
    loaded = saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded(array), model(array))


def check_call(call):
    """The class is where Keras has it, its constructor takes the config, and its call the arguments."""
    module, settings, *signatures = CLASSES[call["class_name"]]
    assert call["module"] == module
    assert {*call["config"]} - {"name"} <= {*settings}, call["class_name"]
    for node in call["inbound_nodes"]:
        for parameters in signatures:
            if not any(p.startswith("*") for p in parameters):
                assert len(node["args"]) <= len(parameters)
                assert {*node["kwargs"]} <= {*parameters[len(node["args"]) :]}, call["class_name"]


def test_operations_are_listed_in_the_order_of_arguments():
    """Arguments by name are walked in the order of the alphabet: `choicelist` came before `condlist`."""
    x = keras.Input(batch_shape=A.shape)
    model = keras.Model(x, ops.select([x > 0, x < -1], [x, x * 2]))
    names = [type(operation).__name__ for operation in model.operations]
    assert names == ["InputLayer", "Greater", "Less", "Multiply", "Select"]
