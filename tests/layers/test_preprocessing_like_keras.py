"""Preprocessing against the results and files of real Keras in tests/parity/preprocessing."""

from __future__ import annotations

import builtins
import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile.trace import naming
from tests.parity.preprocessing.cases import CASES, plain
from tests.parity.preprocessing.models import FILES

PARITY = Path(__file__).resolve().parents[1] / "parity" / "preprocessing"


@cache
def recorded() -> dict[str, Any]:
    return json.loads((PARITY / "fixtures.json").read_text("utf-8"))


def assert_same(found: Any, wanted: Any, where: str = "result") -> None:
    """Equal structures; floats to 1e-6."""
    if isinstance(wanted, dict):
        assert isinstance(found, dict) and found.keys() == wanted.keys(), where
        for key in wanted:
            assert_same(found[key], wanted[key], f"{where}.{key}")
    elif isinstance(wanted, list):
        assert isinstance(found, list) and len(found) == len(wanted), f"{where}: {found} {wanted}"
        for k, (a, b) in enumerate(zip(found, wanted, strict=True)):
            assert_same(a, b, f"{where}[{k}]")
    elif isinstance(wanted, float):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6, err_msg=where)
    else:
        assert found == wanted and type(found) is type(wanted), f"{where}: {found!r} {wanted!r}"


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    naming.reset()
    wanted = recorded()["cases"][name]
    if isinstance(wanted, dict) and "error" in wanted:
        with pytest.raises(getattr(builtins, wanted["error"])):
            CASES[name](keras)
        return
    assert_same(plain(CASES[name](keras)), wanted)


# --- files --------------------------------------------------------------------------------------------------


def config_of(path: Path) -> Any:
    """The config in a file, without the numbers of shared objects."""

    def without(x: Any) -> Any:
        if isinstance(x, dict):
            return {key: without(value) for key, value in x.items() if key != "shared_object_id"}
        return [without(value) for value in x] if isinstance(x, list) else x

    with zipfile.ZipFile(path) as archive:
        return without(json.loads(archive.read("config.json")))


def assets_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.startswith("assets/")}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_keras_loads(name):
    model = keras.models.load_model(PARITY / f"{name}.keras")
    assert_same(plain(np.asarray(model(FILES[name][1]))), recorded()["outputs"][name])


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_written_as_keras_does(name, tmp_path):
    model = keras.models.load_model(PARITY / f"{name}.keras")
    path = tmp_path / f"{name}.keras"
    model.save(path)
    assert config_of(path) == config_of(PARITY / f"{name}.keras")
    assert assets_of(path) == assets_of(PARITY / f"{name}.keras")
    again = keras.models.load_model(path)
    assert_same(plain(np.asarray(again(FILES[name][1]))), recorded()["outputs"][name])


@pytest.mark.parametrize("name", FILES)
def test_a_model_made_here_is_written_alike(name, tmp_path):
    """The same program, run here: the same assets, and the file loads to the same outputs."""
    naming.reset()
    model = FILES[name][0](keras)
    path = tmp_path / f"{name}.keras"
    model.save(path)
    assert assets_of(path) == assets_of(PARITY / f"{name}.keras")
    again = keras.models.load_model(path)
    inputs = FILES[name][1]
    np.testing.assert_array_equal(np.asarray(again(inputs)), np.asarray(model(inputs)))
