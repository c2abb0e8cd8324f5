"""Transformers with sequences of unknown length: training, files and ONNX, against the numbers of Keras."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

import kcompile as keras
from kcompile.core.config import config
from kcompile.trace import naming
from tests.export.onnx_tools import LATEST, ops_of, run
from tests.layers.check import TOLERANCE
from tests.parity import transformer_cases as cases

PARITY = Path(__file__).resolve().parents[1] / "parity"
FOLDER = PARITY / "transformers"
names = pytest.mark.parametrize("name", cases.MODELS)
pytestmark = pytest.mark.filterwarnings("ignore:Layer")


@cache
def numbers() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "numbers.npz") as file:
        return dict(file)


def made(name):
    naming.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cases.made(keras, name)


@names
def test_weights_have_the_paths_of_keras(name):
    assert [w.path for w in made(name).weights] == numbers()[f"{name}.paths"].tolist()


@names
@pytest.mark.parametrize("target", ["reference", "cpu"])
def test_outputs_and_five_steps_of_gradient_descent(name, target):
    model = made(name)
    with config(target=target):
        outputs = model(cases.batch(name, 0)[0])
        found = cases.descended(model, name)
    np.testing.assert_allclose(outputs, numbers()[f"{name}.outputs"], **TOLERANCE)
    for key, value in found.items():
        np.testing.assert_allclose(value, numbers()[f"{name}.{key}"], **TOLERANCE, err_msg=key)


@names
def test_fit_and_predict_take_any_length(name):
    model = made(name)
    model.fit(*cases.batch(name, 0), epochs=2, batch_size=3, verbose=0)
    for step in range(3):
        x, _ = cases.batch(name, step)
        with config(target="reference"):
            wanted = model(x)
        np.testing.assert_allclose(model.predict(x, batch_size=3, verbose=0), wanted, **TOLERANCE)


@names
def test_save_and_load(name, tmp_path):
    model, x = made(name), cases.batch(name, 1)[0]
    model.save(tmp_path / "m.keras")
    naming.reset()
    copy = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(copy(x), model(x))
    assert [w.path for w in copy.weights] == [w.path for w in model.weights]


@pytest.mark.parametrize("name", cases.SAVED)
def test_files_of_keras(name):
    cases.own_layers(keras)
    model = keras.saving.load_model(FOLDER / f"{name}.keras")
    for k, weight in enumerate(model.get_weights()):
        np.testing.assert_array_equal(weight, numbers()[f"{name}.weight{k}"])


@pytest.mark.skipif(not importlib.util.find_spec("keras"), reason="needs the extra [parity]")
def test_keras_loads_our_files(tmp_path):
    models = {name: made(name) for name in cases.MODELS}
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
    script = [sys.executable, PARITY / "make_transformer_fixtures.py", "load", tmp_path]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    subprocess.run(script, check=True, env=environment, capture_output=True)
    for name, model in models.items():
        found = np.load(tmp_path / f"{name}.npz")["outputs"]
        np.testing.assert_allclose(model(cases.batch(name, 0)[0]), found, **TOLERANCE)


@names
@pytest.mark.parametrize("opset", [13, 18, 23, LATEST])
def test_export_to_onnx(name, opset, tmp_path):
    model = made(name)
    model.export(tmp_path / "m.onnx", format="onnx", opset_version=opset, verbose=False)
    file = onnx.load(tmp_path / "m.onnx")
    for step in (0, 1):  # two lengths of sequences
        x, _ = cases.batch(name, step)
        arrays = x if isinstance(x, list) else [x]
        for given in (arrays, [a[:3] for a in arrays]):
            wanted = model(given if isinstance(x, list) else given[0])
            np.testing.assert_allclose(run(file, given)[0], wanted, rtol=1e-4, atol=1e-5)  # a deep model
    if opset >= 23:
        blocks = {"classifier": 1, "language_model": 2, "functional": 2, "encoder_decoder": 3}
        assert ops_of(file).count("Attention") == blocks[name]
