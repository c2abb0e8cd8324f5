"""Saving and loading: nothing is lost, nothing is half written, and what does not fit is named."""

from __future__ import annotations

import io
import json
import os
import warnings

import numpy as np
import pytest

import kcompile
from kcompile import layers, ops, saving
from kcompile.core import files
from tests.parity.layer_cases import CASES


def small(**options):
    model = kcompile.Sequential(
        [kcompile.Input((3,)), layers.Dense(4, name="first"), layers.Dense(2)], **options
    )
    model.compile("adam", "mse")
    return model


X, Y = np.random.default_rng(0).normal(size=(2, 8, 3)).astype("float32")
Y = Y[:, :2]


def arrays_of(model):
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def assert_same(a, b):
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


def equal_but_names(a, b):
    """Configs that agree in all but the automatic names."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return all(equal_but_names(a[k], b[k]) for k in a if k != "name")
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal_but_names, a, b))
    return a == b


def as_json(config):
    """A config as a file keeps it: tuples are lists."""
    return json.loads(json.dumps(config))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_every_layer_survives(case, tmp_path):
    arrays = case.inputs()
    inputs = [kcompile.Input(batch_shape=(None, *a.shape[1:]), dtype=a.dtype.name) for a in arrays]
    layer = getattr(layers, case.layer)(**case.kwargs)
    model = kcompile.Model(inputs, layer(*case.arranged(inputs), **case.options))
    model.set_weights(case.weights([w.shape for w in model.weights]))
    model.save(tmp_path / "m.keras")
    copy = saving.load_model(tmp_path / "m.keras")
    assert_same(model.get_weights(), copy.get_weights())
    assert as_json(copy.layers[-1].get_config()) == as_json(layer.get_config())
    np.testing.assert_array_equal(model(arrays, training=False), copy(arrays, training=False))


def test_training_goes_on_as_if_nothing_had_happened(tmp_path):
    model = small()
    model.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / "m.keras")
    copy = saving.load_model(tmp_path / "m.keras")
    assert_same(arrays_of(model), arrays_of(copy))
    for m in (model, copy):
        m.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    assert_same(arrays_of(model), arrays_of(copy))
    assert not saving.load_model(tmp_path / "m.keras", compile=False).compiled


def test_a_compiled_model_that_was_never_trained(tmp_path):
    small().save(tmp_path / "m.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy = saving.load_model(tmp_path / "m.keras")
    assert copy.compiled
    assert copy.optimizer.built


def test_a_layer_in_two_places_is_one_layer(tmp_path):
    shared = layers.Dense(2, name="shared")
    inner = kcompile.Sequential([kcompile.Input((2,)), shared], name="inner")
    x = kcompile.Input((2,))
    kcompile.Model(x, inner(shared(x))).save(tmp_path / "m.keras")
    copy = saving.load_model(tmp_path / "m.keras")
    assert copy.get_layer("inner").layers[0] is copy.get_layer("shared")
    assert len(copy.weights) == 2


@saving.register_keras_serializable(package="tests")
class Scaled(layers.Layer):
    def __init__(self, inner=None, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner if inner is not None else layers.Dense(2)
        self.factor = factor

    def build(self, input_shape):
        if not self.inner.built:
            self.inner.build(input_shape)
        self.count = self.add_weight((), "zeros", trainable=False, name="count", dtype="int32")

    def call(self, x):
        return self.inner(x) * self.factor

    def get_config(self):
        return {
            **super().get_config(),
            "inner": saving.serialize_keras_object(self.inner),
            "factor": self.factor,
        }

    @classmethod
    def from_config(cls, config):
        config["inner"] = saving.deserialize_keras_object(config["inner"])
        return cls(**config)


@saving.register_keras_serializable(package="tests")
def shifted_square(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred) + 1, axis=-1)


@saving.register_keras_serializable(package="tests")
def bent(x):
    return ops.maximum(x, 0.1 * x)


def test_registered_layers_losses_and_activations(tmp_path):
    model = kcompile.Sequential(
        [kcompile.Input((3,)), Scaled(layers.Dense(2, activation=bent)), layers.Lambda(bent)]
    )
    model.compile(kcompile.optimizers.SGD(0.1), loss=shifted_square, metrics=[shifted_square])
    model.layers[0].count.assign(7)
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.keras")
    copy = saving.load_model(tmp_path / "m.keras")
    assert_same(arrays_of(model), arrays_of(copy))
    np.testing.assert_array_equal(model(X), copy(X))
    assert copy.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert saving.get_registered_name(Scaled) == "tests>Scaled"
    assert saving.get_registered_object("tests>Scaled") is Scaled


def test_names_in_a_scope():
    def near(x):
        return x

    config = saving.serialize_keras_object(near)
    with pytest.raises(ValueError, match="Could not locate function 'near'"):
        saving.deserialize_keras_object(config)
    with saving.custom_object_scope({"near": near}):
        assert saving.deserialize_keras_object(config) is near
    assert saving.deserialize_keras_object(config, custom_objects={"near": near}) is near


@pytest.mark.parametrize(
    "item",
    [
        None,
        3,
        0.5,
        "x",
        [1, (2, None)],
        {"a": slice(1, None, 2)},
        Ellipsis,
        b"bytes",
        np.arange(6.0).reshape(2, 3),
    ],
)
def test_plain_things_as_data(item):
    found = saving.deserialize_keras_object(saving.serialize_keras_object(item))
    np.testing.assert_equal(found, item)


def test_files_in_memory():
    buffer = io.BytesIO()
    model = small()
    model.save(buffer)
    buffer.seek(0)
    np.testing.assert_array_equal(saving.load_model(buffer)(X), model(X))


# --- strict reading -----------------------------------------------------------------------------------------


def weights_file(tmp_path, model):
    model.save_weights(tmp_path / "w.weights.h5")
    return tmp_path / "w.weights.h5"


def test_weights_into_a_model_that_they_do_not_fit(tmp_path):
    path = weights_file(tmp_path, small())
    other = kcompile.Sequential(
        [kcompile.Input((3,)), layers.Dense(5, name="a"), layers.Dense(2), layers.Dense(2)]
    )
    before = other.get_weights()
    with pytest.raises(ValueError) as caught:
        other.load_weights(path)
    text = str(caught.value)
    assert "layers/dense: kernel has the shape (3, 5), in the file (3, 4)" in text
    assert "layers/dense_2: kernel (2, 2) is missing" in text
    assert_same(before, other.get_weights())


def test_weights_that_the_model_has_no_place_for(tmp_path):
    path = weights_file(tmp_path, small())
    other = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(4)])
    with pytest.raises(ValueError, match="layers/dense_1/vars/0: not used"):
        other.load_weights(path)


def test_mismatches_can_be_skipped(tmp_path):
    model = small()
    path = weights_file(tmp_path, model)
    other = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(4), layers.Dense(3)])
    before = other.layers[1].get_weights()
    with pytest.warns(UserWarning, match="were skipped"):
        other.load_weights(path, skip_mismatch=True)
    assert_same(other.layers[0].get_weights(), model.layers[0].get_weights())
    assert_same(other.layers[1].get_weights(), before)


def test_an_optimizer_that_does_not_fit_is_a_warning(tmp_path):
    trained = small()
    trained.fit(X, Y, verbose=0)
    path = weights_file(tmp_path, trained)
    other = small()
    other.compile(kcompile.optimizers.SGD(momentum=0.9), "mse")
    other.fit(X, Y, verbose=0)
    with pytest.warns(UserWarning, match="optimizer 'sgd.*' is not loaded"):
        other.load_weights(path)
    assert_same(trained.get_weights(), other.get_weights())
    uncompiled = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(4), layers.Dense(2)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        uncompiled.load_weights(path)


@pytest.mark.parametrize("name", ["m", "m.txt", "m.weights", "hf://me/model"])
def test_names_to_save_under(name, tmp_path):
    model = small()
    path = name if "://" in name else tmp_path / name
    with pytest.raises(ValueError, match=r"extension|Only local"):
        model.save(path)
    with pytest.raises(ValueError, match=r"must end in|Only local"):
        model.save_weights(path)
    with pytest.raises(ValueError, match=r"not supported|Only local"):
        saving.load_model(path)


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_paths_may_be_bytes(name, tmp_path):
    model, path = small(), os.fsencode(tmp_path / name)
    model.save(path)
    other = saving.load_model(path)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    other.load_weights(path)
    with pytest.raises(ValueError, match="extension"):
        model.save(os.fsencode(tmp_path / "m"))


def test_files_that_are_not_there(tmp_path):
    for name, kind in (("m.keras", ValueError), ("m.h5", FileNotFoundError)):
        with pytest.raises(kind, match="File not found"):
            saving.load_model(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="File not found"):
        small().load_weights(tmp_path / "m.weights.h5")


def test_an_unbuilt_model_has_no_weights_to_save(tmp_path):
    model = kcompile.Sequential([layers.Dense(2)])
    for use in (model.save_weights, model.load_weights):
        with pytest.raises(ValueError, match="has not yet been built"):
            use(tmp_path / "w.weights.h5")


# --- whole files --------------------------------------------------------------------------------------------


class Broken(layers.Layer):
    def save_own_variables(self, store):
        raise RuntimeError("broken layer")


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path, weights = tmp_path / "m.keras", tmp_path / "w.weights.h5"
    small().save(path)
    small().save_weights(weights)
    before = path.read_bytes(), weights.read_bytes()
    bad = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2), Broken()])
    for save, target in ((bad.save, path), (bad.save_weights, weights)):
        with pytest.raises(RuntimeError, match="broken layer"):
            save(target)
    assert (path.read_bytes(), weights.read_bytes()) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.keras", "w.weights.h5"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(function, tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, function, full)
    with pytest.raises(OSError, match="No space left"):
        small().save(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_links_and_permissions_of_a_replaced_file_stay(tmp_path):
    path, link = tmp_path / "m.keras", tmp_path / "latest.keras"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    small().save(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    saving.load_model(path)


def test_new_files_have_the_usual_permissions(tmp_path):
    mask = os.umask(0o027)
    try:
        small().save(tmp_path / "m.keras")
    finally:
        os.umask(mask)
    assert (tmp_path / "m.keras").stat().st_mode & 0o777 == 0o640


def test_replacing_a_file_may_be_asked_for(tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    path.write_bytes(b"old")
    answers = iter(["what", "n", "y"])
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    small().save(path, overwrite=False)
    assert path.read_bytes() == b"old"
    small().save(path, overwrite=False)
    assert path.read_bytes() != b"old"


def test_bfloat16_and_float16_weights(tmp_path):
    for dtype in ("bfloat16", "float16", "float64"):
        model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2, dtype=dtype)])
        model.save(tmp_path / "m.keras")
        copy = saving.load_model(tmp_path / "m.keras")
        assert copy.weights[0].dtype == dtype
        assert_same(model.get_weights(), copy.get_weights())
