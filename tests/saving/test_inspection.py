"""`kcompile inspect` shows what a file holds, and builds nothing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

import kcompile
from kcompile import layers
from kcompile.cli import main

FIXTURES = Path(__file__).resolve().parent / "fixtures"


def inspect(path):
    return CliRunner().invoke(main, ["inspect", str(path)])


def test_a_model_file():
    text = inspect(FIXTURES / "trained_chain.keras").output
    assert "Format of Keras 3.15.1" in text
    assert "    keras.layers.Conv2D(name=conv2d_2, filters=3, kernel_size=[3, 3]" in text
    assert "activation=relu" in text
    assert "kernel_initializer=GlorotUniform" in text
    assert "compiled: optimizer=Adam, loss=mse, metrics=[mae, MeanSquaredError]" in text
    assert "  layers/conv2d/vars/0                             float32   (3, 3, 2, 3)" in text
    assert "  329 numbers, 1,316 bytes" in text


def test_weights_and_the_older_format():
    text = inspect(FIXTURES / "trained_chain.weights.h5").output
    assert text.splitlines()[0] == "Weights"
    assert "optimizer/vars/9                                 float32   (4,)" in text
    text = inspect(FIXTURES / "trained_two_inputs.h5").output
    assert "Model (older .h5 format)" in text
    assert "    Dense(name=dense_18, units=4, activation=relu" in text


def test_nested_models(tmp_path):
    text = inspect(FIXTURES / "shared_and_nested.keras").output
    assert "\n      keras.layers.Add(name=add" in text


def file_with(tmp_path, config):
    path = tmp_path / "m.keras"
    kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2)]).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**parts, "config.json": json.dumps(config)}.items():
            archive.writestr(name, data)
    return path


def test_what_would_be_refused_is_shown_and_not_run(tmp_path):
    config = {
        "module": "os",
        "class_name": "system",
        "config": {"command": "touch \x1b[31m" + str(tmp_path / "run")},
    }
    result = inspect(file_with(tmp_path, config))
    assert result.exit_code == 0
    assert "os.system(command=touch ?[31m" in result.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "config", [[], "x", {"config": [1]}, {"class_name": "A", "config": {"layers": [1, None, {}]}}]
)
def test_configs_that_make_no_sense(config, tmp_path):
    assert inspect(file_with(tmp_path, config)).exit_code == 0


def test_files_that_are_no_models(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(b"x")
    result = inspect(path)
    assert result.exit_code == 1
    assert "damaged" in result.output
    assert "there is no file" in inspect(tmp_path / "n.keras").output
