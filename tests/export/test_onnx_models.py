"""Exported layers and models compute the same in onnxruntime, for every batch size and opset."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile
from kcompile import layers, ops
from kcompile.core import tree
from kcompile.export import onnx as onnx_export
from kcompile.export.onnx import write
from kcompile.export.onnx.emit import UnsupportedOps
from tests.export.onnx_tools import (
    LATEST,
    has_steps,
    inferred,
    layer_model,
    ops_of,
    opsets_for,
    with_rows,
    with_steps,
)
from tests.parity.layer_cases import CASES
from tests.parity.model_cases import BUILDERS, inputs_of

MODELS = [name for name in BUILDERS if name != "unbuilt"]
CLOSE = {"rtol": 1e-5, "atol": 1e-5}  # what `export` promises


def names_of(values):
    return [v.name for v in values]


def run(path, arrays):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip(names_of(session.get_inputs()), arrays, strict=True)))


def check(model, path, inputs):
    found = run(path, tree.flatten(inputs))
    expected = tree.flatten(model(inputs, training=False))
    for got, wanted in zip(found, expected, strict=True):
        assert got.dtype == wanted.dtype
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, **CLOSE)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_every_layer(case, tmp_path):
    model, path = layer_model(case), tmp_path / "m.onnx"
    for opset in opsets_for(case.name):
        model.export(path, format="onnx", opset_version=opset, verbose=False)
        inferred(path)
        for rows in (1, 3, 17):  # the same file
            check(model, path, with_rows(case.inputs(), rows))


def test_the_cases_cover_all_opsets():
    assert {o for case in CASES for o in opsets_for(case.name)} == set(range(13, LATEST + 1))


@pytest.mark.parametrize("case", list(filter(has_steps, CASES)), ids=lambda c: c.name)
def test_two_numbers_of_steps(case, tmp_path):
    model, path = layer_model(case, open_steps=True), tmp_path / "m.onnx"
    model.export(path, format="onnx", opset_version=opsets_for(case.name)[1], verbose=False)
    inferred(path)
    for more in (0, 3):
        check(model, path, with_steps(case.inputs(), more))


@pytest.mark.parametrize("name", MODELS)
def test_models(name, tmp_path):
    model = BUILDERS[name](kcompile)
    model.export(tmp_path / "m.onnx", verbose=False)
    check(model, tmp_path / "m.onnx", inputs_of(name))
    assert onnx_export.check(model, tmp_path / "m.onnx") < 1e-5


def test_names_of_inputs_and_outputs(tmp_path):
    a, b = kcompile.Input((3,), name="left"), kcompile.Input((3,), name="right")
    total, scaled = layers.Add(name="total")([a, b]), layers.Dense(2, name="scaled")(a)
    cases = [([total, scaled], ["total", "scaled"]), ({"z": total, "y": scaled}, ["y", "z"]), (a, None)]
    for outputs, names in cases:
        model = kcompile.Model([a, b], outputs)
        model.export(tmp_path / "m.onnx", verbose=False)
        session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
        assert names_of(session.get_inputs()) == ["left", "right"]
        assert names is None or names_of(session.get_outputs()) == names
        check(model, tmp_path / "m.onnx", [np.ones((2, 3), "float32"), np.zeros((2, 3), "float32")])


def test_weights_have_their_paths_and_the_batch_its_name(tmp_path):
    model = kcompile.Sequential(
        [
            kcompile.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="c"),
            layers.Flatten(),
            layers.Dense(2, name="d"),
        ],
        name="net",
    )
    model.export(tmp_path / "m.onnx", verbose=False)
    file = onnx.load(tmp_path / "m.onnx")
    stored = {c.name for c in file.graph.initializer}
    assert {w.path for w in model.weights} <= stored
    assert file.graph.name == "net"
    assert [d.dim_param or d.dim_value for d in file.graph.input[0].type.tensor_type.shape.dim] == [
        "batch",
        8,
        8,
        3,
    ]
    assert all(
        n.name.startswith(("c", "net", "flatten", "d", "dense", "output", "Transpose"))
        for n in file.graph.node
    )
    assert ops_of(file) == ["Transpose", "Conv", "Reshape", "Gemm"]


def test_an_image_network_has_one_transpose(tmp_path):
    block = [layers.Conv2D(4, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU()]
    tail = [
        layers.MaxPooling2D(),
        layers.DepthwiseConv2D(3),
        layers.Activation("gelu"),
        layers.AveragePooling2D(2),
    ]
    model = kcompile.Sequential(
        [kcompile.Input((16, 16, 3)), *block, *tail, layers.Flatten(), layers.Dense(3)]
    )
    model.export(tmp_path / "m.onnx", opset_version=20, verbose=False)
    check(model, tmp_path / "m.onnx", np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32"))
    assert ops_of(onnx.load(tmp_path / "m.onnx")).count("Transpose") == 1


def test_open_dimensions_other_than_the_batch(tmp_path):
    ids = kcompile.Input((None,), dtype="int32", name="ids")
    other = kcompile.Input((None, 4), name="other")
    x = layers.Embedding(10, 4)(ids)
    model = kcompile.Model([ids, other], [layers.Dense(3)(x), layers.GlobalAveragePooling1D()(other)])
    model.export(tmp_path / "m.onnx", verbose=False)
    for steps in (1, 5):
        inputs = [np.ones((2, steps), "int32"), np.ones((2, steps + 2, 4), "float32")]
        check(model, tmp_path / "m.onnx", inputs)


def test_inputs_that_must_agree_in_an_open_dimension(tmp_path):
    a, b = kcompile.Input((None, 4)), kcompile.Input((None, 4))
    model = kcompile.Model([a, b], layers.Add()([a, b]))
    model.export(tmp_path / "m.onnx", verbose=False)
    check(model, tmp_path / "m.onnx", [np.ones((2, 3, 4), "float32")] * 2)


class Joined(layers.Layer):
    """Two sequences, one behind the other; refuses what it cannot join in words of its own."""

    def call(self, a, b):
        if a.shape[1] != b.shape[1]:
            raise ValueError(f"lengths differ: {a.shape[1]} and {b.shape[1]}")
        return kcompile.ops.concatenate([a, b], axis=-1)


def test_inputs_that_must_agree_by_a_layers_own_check(tmp_path):
    a, b = kcompile.Input((None, 4)), kcompile.Input((None, 4))
    model = kcompile.Model([a, b], Joined()(a, b))
    model.export(tmp_path / "m.onnx", verbose=False)
    check(model, tmp_path / "m.onnx", [np.ones((2, 3, 4), "float32")] * 2)


def test_a_signature_fixes_open_dimensions(tmp_path):
    x = kcompile.Input((None, 4))
    model = kcompile.Model(x, layers.Dense(2)(x))
    model.export(
        tmp_path / "m.onnx",
        input_signature=[layers.InputSpec(shape=(1, 6, 4), dtype="float32")],
        verbose=False,
    )
    dims = onnx.load(tmp_path / "m.onnx").graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["batch", 6, 4]


class Doubled(kcompile.Model):
    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(3)

    def call(self, inputs, training=False):
        x = self.inner(inputs["a"]) + inputs["b"]
        return x * 2 if training else x


def test_a_subclassed_model_with_a_dict(tmp_path):
    model = Doubled()
    with pytest.raises(ValueError, match="no known input shape"):
        model.export(tmp_path / "m.onnx")
    inputs = {"a": np.ones((2, 4), "float32"), "b": np.ones((2, 3), "float32")}
    model(inputs)
    model.export(tmp_path / "m.onnx", verbose=False, input_signature=[inputs])
    check(model, tmp_path / "m.onnx", inputs)


def test_a_users_layer_written_with_ops(tmp_path):
    class Attention(layers.Layer):
        def call(self, x):
            scores = ops.einsum("btd,bsd->bts", x, x) / ops.sqrt(ops.cast(ops.shape(x)[1], "float32"))
            return ops.einsum("bts,bsd->btd", ops.softmax(scores), x)

    x = kcompile.Input((None, 4))
    model = kcompile.Model(x, Attention()(x))
    model.export(tmp_path / "m.onnx", verbose=False)
    check(model, tmp_path / "m.onnx", np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32"))


def test_a_pipeline_in_eager_mode_or_a_layer_alone(tmp_path):
    layer = layers.Dense(2)
    layer.build((None, 3))
    onnx_export.export_onnx(
        layer, tmp_path / "m.onnx", verbose=False, input_signature=[np.ones((1, 3), "float32")]
    )
    x = np.ones((4, 3), "float32")
    np.testing.assert_allclose(run(tmp_path / "m.onnx", [x])[0], layer(x), **CLOSE)


# --- errors -------------------------------------------------------------------------------------------------


class Noisy(layers.Layer):
    def build(self, input_shape):
        self.seeds = kcompile.random.SeedGenerator(1)

    def call(self, x):
        return x + kcompile.random.uniform(ops.shape(x), seed=self.seeds)


def test_unsupported_layers_are_named_and_nothing_is_written(tmp_path):
    model = kcompile.Sequential(
        [kcompile.Input((3,)), Noisy(name="first"), layers.Dense(2), Noisy(name="second")]
    )
    (tmp_path / "m.onnx").write_bytes(b"old")
    with pytest.raises(UnsupportedOps) as caught:
        model.export(tmp_path / "m.onnx")
    paths = [path for path, _, _ in caught.value.ops]
    assert ["first" in path for path in paths] == [True, False]
    assert "second" in paths[1]
    assert (tmp_path / "m.onnx").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def dense():
    return kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2)])


@pytest.mark.parametrize("opset", [0, 12, 9999])
def test_opsets_out_of_range(opset, tmp_path):
    with pytest.raises(ValueError, match=r"opset .* is not supported.*\n  expected  13 to"):
        dense().export(tmp_path / "m.onnx", opset_version=opset)
    assert not list(tmp_path.iterdir())


def test_the_newest_opset_is_one_that_onnxruntime_takes(tmp_path, monkeypatch):
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    known = [one for one in state.get_all_operator_schema() if one.since_version <= 24]
    monkeypatch.setattr(state, "get_all_operator_schema", lambda: known)
    with pytest.raises(ValueError, match=r"expected  13 to 24 \(onnxruntime .* is installed\)"):
        dense().export(tmp_path / "m.onnx", opset_version=25)
    dense().export(tmp_path / "m.onnx", opset_version=24)


def test_the_hint_names_an_opset_that_has_what_is_lacking(tmp_path):
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Lambda(lambda x: ops.nextafter(x, x + 1))])
    with pytest.raises(UnsupportedOps, match="hint      opset 26 or later"):
        model.export(tmp_path / "m.onnx", opset_version=20)
    model.export(tmp_path / "m.onnx", opset_version=26)


def test_other_formats(tmp_path):
    with pytest.raises(ValueError, match="export format: 'onx'.*\n.*did you mean 'onnx'"):
        dense().export(tmp_path / "m.onnx", format="onx")


def test_a_failed_export_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        dense().export(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_comparison_sees_another_model(tmp_path):
    model = dense()
    model.export(tmp_path / "m.onnx", verbose=False)
    model.layers[0].kernel.assign(model.layers[0].kernel.numpy() + 1e-3)
    with pytest.raises(ValueError, match="computes something else"):
        onnx_export.check(model, tmp_path / "m.onnx")


def test_verbose_says_where_the_file_lies(tmp_path, capsys):
    dense().export(tmp_path / "m.onnx")
    assert capsys.readouterr().out == f"Saved artifact at '{tmp_path / 'm.onnx'}'.\n"


# --- large models -------------------------------------------------------------------------------------------


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(write, "LIMIT", 1000)


def test_more_than_the_limit_goes_to_a_second_file(tmp_path, small_limit):
    model = kcompile.Sequential([kcompile.Input((30,)), layers.Dense(20), layers.Dense(2, dtype="float64")])
    model.export(tmp_path / "m.onnx", verbose=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert (tmp_path / "m.onnx.data").stat().st_size > 30 * 20 * 4
    assert (tmp_path / "m.onnx").stat().st_size < 2000
    check(model, tmp_path / "m.onnx", np.ones((2, 30), "float32"))


def test_the_second_file_is_not_written_through_a_link(tmp_path, small_limit):
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    (tmp_path / "m.onnx.data").symlink_to(target)
    model = kcompile.Sequential([kcompile.Input((30,)), layers.Dense(20)])
    model.export(tmp_path / "m.onnx", verbose=False)
    assert target.read_bytes() == b"precious"
    assert not (tmp_path / "m.onnx.data").is_symlink()


def test_a_failed_export_of_a_large_model_leaves_both_files(tmp_path, small_limit, monkeypatch):
    for name in ("m.onnx", "m.onnx.data"):
        (tmp_path / name).write_bytes(b"old")

    def fault(_):
        raise RuntimeError("fault")

    monkeypatch.setattr(write, "check", fault)
    with pytest.raises(RuntimeError, match="fault"):
        kcompile.Sequential([kcompile.Input((30,)), layers.Dense(20)]).export(tmp_path / "m.onnx")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"m.onnx": b"old", "m.onnx.data": b"old"}


def test_images_that_must_be_even(tmp_path):
    """What is halved and doubled again: the file says of what its sizes are multiples, and computes them."""
    image = kcompile.Input((None, None, 2), name="image")
    small = layers.MaxPooling2D()(layers.MaxPooling2D()(image))
    large = layers.UpSampling2D(4)(small)
    shown = layers.Reshape((-1, 4))(layers.Concatenate()([image, large]))
    model = kcompile.Model(image, layers.GlobalAveragePooling1D()(shown))
    model.export(tmp_path / "m.onnx", verbose=False)
    file = inferred(tmp_path / "m.onnx")
    dims = [d.dim_param or d.dim_value for d in file.graph.input[0].type.tensor_type.shape.dim]
    assert dims == ["batch", "4*height", "4*width", 2]
    for shape in ((1, 4, 8, 2), (3, 12, 4, 2)):
        check(model, tmp_path / "m.onnx", np.random.default_rng(0).normal(size=shape).astype("float32"))
    assert onnx_export.check(model, tmp_path / "m.onnx") < 1e-5


def test_images_that_never_fit_say_so(tmp_path):
    image = kcompile.Input((None, None, 2))
    with pytest.raises(ValueError, match="concatenate"):
        kcompile.Model(image, layers.Concatenate()([image, image[:, 1:]])).export(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
