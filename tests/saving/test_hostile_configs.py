"""Configs in JSON that is too large, too deep, or from the future: refused with a clear error."""

from __future__ import annotations

import json
import zipfile

import h5py
import numpy as np
import pytest

import kcompile
from kcompile import saving
from kcompile.saving import keras_file
from tests.saving.hostile import config_with, dense_of, entry, load

BAD_JSON = {
    "too_long": (b" " * (16 << 20) + b"{}", "at most 16,777,216"),
    "too_deep": (b"[" * 100_000 + b"]" * 100_000, "nesting"),
    "nan": (b'{"class_name": "Dense", "config": {"units": NaN}}', "NaN"),
    "infinity": (b'{"class_name": "Dense", "config": {"units": -Infinity}}', "-Infinity"),
    "overflow": (b'{"class_name": "Dense", "config": {"units": 1e999}}', "1e999"),
    "large_int": (b'{"class_name": "Dense", "config": {"units": 99999999999999999999}}', "9999"),
    "very_large_int": (b'{"a": ' + b"9" * 100_000 + b"}", "9999"),
    "duplicate": (b'{"class_name": "Dense", "class_name": "Lambda", "config": {}}', "'class_name' twice"),
    "long_string": (
        b'{"class_name": "Dense", "config": {"units": "' + b"a" * 70_000 + b'"}}',
        "70,000 characters",
    ),
    "control": (b'{"class_name": "Dense", "config": {"name": "a\\u0000b"}}', "printable"),
    "dots": (b'{"class_name": "Dense", "config": {"name": "../a"}}', "name"),
    "many": (b"[" + b'{"class_name": "Dense"},' * 60_000 + b"1]", "60,000 objects"),
    "unclosed": (b'{"class_name": "' + b'\\"' * 500_000, "not JSON"),
    "late_duplicate": (
        b"{" + b",".join(b'"%d":0' % k for k in range(300_000)) + b',"299999":0}',
        "'299999' twice",
    ),
    "no_json": (b"{'a': 1}", "not JSON"),
    "no_text": (b"\xff\xfe", "UTF-8"),
    "no_model": (b"[1]", "a model"),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_json_outside_of_the_limits(name, good, tmp_path):
    data, match = BAD_JSON[name]
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in {**good, "config.json": data}.items():
            archive.writestr(member, content)
    with pytest.raises(ValueError, match=match):
        saving.load_model(path)


@pytest.mark.parametrize(
    "change, match",
    [
        (lambda c: c.update(compile_config=7), "must be a dict of the arguments of `compile`"),
        (lambda c: c.update(compile_config={"../x": 1}), "must be a dict of the arguments of `compile`"),
        (lambda c: dense_of(c).update(module={"a": 1}), "names in a config must be strings"),
        (lambda c: dense_of(c).update(module=[]), "names in a config must be strings"),
        (lambda c: dense_of(c).update(registered_name=0), "names in a config must be strings"),
    ],
)
def test_other_kinds_of_things_where_names_and_settings_stand(change, match, good, tmp_path):
    with pytest.raises((ValueError, TypeError), match=match):
        load(config_with(good, change), tmp_path)


def test_an_older_file_whose_layer_has_no_name_of_a_class(tmp_path):
    path = tmp_path / "m.h5"
    model = kcompile.Sequential([kcompile.Input((3,)), kcompile.layers.Dense(2)])
    model.save(path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["class_name"] = {}
        config["config"]["layers"][1].pop("module", None)
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(TypeError, match="names in a config must be strings"):
        saving.load_model(path)


def test_a_config_that_asks_for_more_memory_than_the_file_holds(good, tmp_path):
    parts = config_with(good, lambda c: dense_of(c)["config"].update(units=10**12))
    with pytest.raises(ValueError, match="larger than the weights of this file allow"):
        load(parts, tmp_path)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_models_inside_of_models_that_call_each_other_many_times(tmp_path, monkeypatch, ending):
    """Ten times more calls with each level, of which each takes a few hundred bytes."""
    inner = kcompile.Sequential([kcompile.Input((3,)), kcompile.layers.Dense(3)])
    for _ in range(2):
        x = y = kcompile.Input((3,))
        for _ in range(10):
            y = inner(y)
        inner = kcompile.Model(x, y)
    inner.save(tmp_path / f"m{ending}")
    assert len(saving.load_model(tmp_path / f"m{ending}").layers) == 2
    monkeypatch.setattr(keras_file, "MAX_CALLS", 100)
    with pytest.raises(ValueError, match="more often than any file may ask for"):
        saving.load_model(tmp_path / f"m{ending}")
    kcompile.models.clone_model(inner)  # no file


@pytest.mark.parametrize("args", [[], [[10**6, 10**6]]])
def test_an_op_that_would_run_while_the_file_is_read(args, tmp_path):
    path = tmp_path / "m.keras"
    x = kcompile.Input((3,), name="x")
    kcompile.Model(x, kcompile.ops.relu(x)).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    node = {"args": args, "kwargs": {}}
    op = entry("keras.src.ops.numpy", "Ones", {"name": "ones", "shape": [10**6] * 2}) | {"name": "ones"}
    parts = config_with(parts, lambda c: c["config"]["layers"].append({**op, "inbound_nodes": [node]}))
    with pytest.raises(ValueError, match="without a tensor"):
        load(parts, tmp_path)


@pytest.mark.parametrize("version", ["4.0.0", "99", "", None, ["3"]])
def test_a_file_from_the_future(version, good, tmp_path):
    with pytest.raises(ValueError, match=r"metadata|Keras"):
        load({**good, "metadata.json": json.dumps({"keras_version": version})}, tmp_path)


@pytest.mark.parametrize(
    "layer, shape, settings",
    [
        (kcompile.layers.IntegerLookup(vocabulary=[1, 2]), (4,), {"num_oov_indices": 10**12}),
        (kcompile.layers.Dense(2), (3,), {"units": 10**12}),
    ],
)
def test_numbers_that_would_take_memory_are_refused(tmp_path, layer, shape, settings):
    path = tmp_path / "m.keras"
    kcompile.Sequential([kcompile.Input(shape), layer]).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts = config_with(parts, lambda c: dense_of(c)["config"].update(settings))
    with pytest.raises(ValueError, match="larger than the weights of this file allow"):
        load(parts, tmp_path)


def test_a_pooling_of_a_trillion_windows_is_refused(tmp_path):
    path = tmp_path / "m.keras"
    x = kcompile.Input((8, 3))
    kcompile.Model(x, kcompile.layers.AdaptiveAveragePooling1D(5)(x)).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts = config_with(parts, lambda c: dense_of(c)["config"].update(output_size=10**12))
    with pytest.raises(ValueError, match="`output_size` must be a positive int up to"):
        load(parts, tmp_path)
    many = kcompile.ops.adaptive_average_pool(np.arange(6, dtype="float32").reshape(1, 6, 1), 30_000)
    assert many.shape == (1, 30_000, 1) and many[0, ::5000, 0].tolist() == [0, 1, 2, 3, 4, 5]
