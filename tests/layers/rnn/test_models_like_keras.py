"""Recurrent models against the numbers and files of Keras in tests/parity/recurrent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile.core import tree
from kcompile.core.config import config
from kcompile.trace import naming
from tests.layers.check import TOLERANCE
from tests.parity import recurrent_cases as cases

FOLDER = Path(__file__).resolve().parents[2] / "parity" / "recurrent"
names = pytest.mark.parametrize("name", cases.BUILDERS)


@cache
def numbers() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "numbers.npz") as file:
        return dict(file)


@cache
def descriptions() -> dict[str, Any]:
    return json.loads((FOLDER / "models.json").read_text())


def plain(x: Any) -> Any:
    return json.loads(json.dumps(x))


def comparable(config: Any) -> Any:
    """A model's config without `training` among a call's arguments, which Keras lists by chance (not where
    another one is a list), and with the cases' module as Keras saw it.
    """
    config = json.loads(json.dumps(config).replace("tests.parity.recurrent_cases", "recurrent_cases"))
    for layer in config["layers"]:
        for call in layer.get("inbound_nodes", []):
            call["kwargs"].pop("training", None)
    return config


def built(name: str) -> Any:
    naming.reset()
    model = cases.BUILDERS[name](keras)
    model.set_weights(cases.weights_like([w.shape for w in model.weights]))
    return model


def assert_outputs(name: str, outputs: Any) -> None:
    for k, found in enumerate(tree.flatten(outputs)):
        np.testing.assert_allclose(found, numbers()[f"{name}/output{k}"], **TOLERANCE)
    assert f"{name}/output{k + 1}" not in numbers()


@names
def test_description(name):
    model, wanted = built(name), descriptions()[name]
    assert comparable(model.get_config()) == comparable(wanted["config"])
    assert plain([[w.path, w.shape] for w in model.weights]) == wanted["weights"]
    assert [v.path for v in model.variables] == wanted["variables"]
    assert plain(model.output_shape) == wanted["output_shape"]
    assert plain([layer.get_build_config() for layer in model.layers]) == wanted["build_configs"]


@names
@pytest.mark.parametrize("target", ["reference", "cpu"])
def test_outputs(name, target):
    model = built(name)
    with config(target=target):
        assert_outputs(name, model(cases.inputs_of(name)))


@names
def test_layers_one_by_one(name):
    """Op by op on arrays, as `run_eagerly` does."""
    model = built(name)
    model.compile(run_eagerly=True)
    assert_outputs(name, model(cases.inputs_of(name)))


@pytest.mark.parametrize("name", cases.TRAINED)
def test_five_steps_of_sgd(name):
    model = built(name)
    losses = cases.train(keras, name, model)
    np.testing.assert_allclose(losses, numbers()[f"{name}/losses"], rtol=1e-5)
    for k, weight in enumerate(model.get_weights()):
        np.testing.assert_allclose(weight, numbers()[f"{name}/trained{k}"], rtol=1e-4, atol=1e-5)


@names
def test_files_of_keras(name):
    cases.minimal_cell(keras)
    model = keras.saving.load_model(FOLDER / f"{name}.keras")
    assert_outputs(name, model(cases.inputs_of(name)))


@names
def test_files_of_our_own(name, tmp_path):
    built(name).save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    assert_outputs(name, model(cases.inputs_of(name)))
    built(name).save_weights(tmp_path / "model.weights.h5")
    other = cases.BUILDERS[name](keras)
    other.load_weights(tmp_path / "model.weights.h5")
    assert_outputs(name, other(cases.inputs_of(name)))


@pytest.mark.parity
@pytest.mark.slow
def test_keras_loads_our_files(tmp_path):
    pytest.importorskip("keras")
    for name in cases.BUILDERS:
        built(name).save(tmp_path / f"{name}.keras")
    script = FOLDER.parent / "make_recurrent_fixtures.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, env={**os.environ, "KERAS_BACKEND": "jax"})
    for name in cases.BUILDERS:
        with np.load(tmp_path / f"{name}.npz") as file:
            assert_outputs(name, [file[f"output{k}"] for k in range(len(file.files))])


def test_stateful_layers():
    for key, found in cases.stateful(keras).items():
        np.testing.assert_allclose(found, numbers()[f"stateful/{key}"], **TOLERANCE, err_msg=key)


def test_explicit_states():
    for key, found in cases.explicit_states(keras).items():
        np.testing.assert_allclose(found, numbers()[f"explicit/{key}"], **TOLERANCE, err_msg=key)
