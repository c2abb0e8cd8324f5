"""Configs in JSON that is too large, too deep, or from the future: refused with a clear error."""

from __future__ import annotations

import json
import zipfile

import pytest

import kcompile
from kcompile import saving
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


def test_a_config_that_asks_for_more_memory_than_the_file_holds(good, tmp_path):
    parts = config_with(good, lambda c: dense_of(c)["config"].update(units=10**12))
    with pytest.raises(ValueError, match="larger than the weights of this file allow"):
        load(parts, tmp_path)


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
