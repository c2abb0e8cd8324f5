"""A small model for the tests of the command line."""

from __future__ import annotations

import pytest

import kcompile
from tests.cli.cli_tools import call


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A small model, saved."""
    from kcompile import layers

    model = kcompile.Sequential(
        [
            kcompile.Input((6,), name="numbers"),
            layers.Dense(4, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    path = tmp_path_factory.mktemp("model") / "small.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def onnx_file(model_file, tmp_path_factory):
    """The same model, exported."""
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    assert call("export", model_file, "-o", path).exit_code == 0
    return path
