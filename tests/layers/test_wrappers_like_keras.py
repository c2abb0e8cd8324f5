"""Layers around other layers against the numbers of Keras in tests/parity/wrappers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile.trace import naming
from tests.layers.check import TOLERANCE, gradients_of, traced
from tests.parity.wrapper_cases import CASES

PARITY = Path(__file__).resolve().parents[1] / "parity"
DESCRIBED = json.loads((PARITY / "wrappers.json").read_text())
with np.load(PARITY / "wrappers.npz") as _file:
    NUMBERS = dict(_file)
names = pytest.mark.parametrize("name", CASES)


def expected(name: str) -> dict[str, np.ndarray]:
    prefix = f"{DESCRIBED[name]['number']}."
    return {key.removeprefix(prefix): a for key, a in NUMBERS.items() if key.startswith(prefix)}


def made(name: str) -> Any:
    case = CASES[name]
    layer = case.make(keras.layers)
    layer.build((None, *case.shape[1:]))
    layer.set_weights(case.weights([w.shape for w in layer.weights]))
    return layer


@names
def test_description(name):
    naming.reset()
    case, wanted = CASES[name], DESCRIBED[name]
    layer = case.make(keras.layers)
    output = layer(keras.Input(case.shape[1:]), **({"reverse": True} if case.reverse else {}))
    assert json.loads(json.dumps(layer.get_config())) == wanted["config"]
    assert [[w.path, list(w.shape), w.trainable] for w in layer.weights] == wanted["weights"]
    assert list(output.shape) == wanted["output_shape"]
    assert layer.supports_masking == wanted["supports_masking"]


@names
def test_config_round_trip(name):
    case, layer = CASES[name], made(name)
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert copy.get_config() == layer.get_config()
    assert [(w.name, w.shape) for w in copy.weights] == [(w.name, w.shape) for w in layer.weights]
    copy.set_weights(layer.get_weights())
    x, call = case.inputs(), case.call()
    np.testing.assert_array_equal(copy(x, **call), layer(x, **call))


@pytest.mark.parametrize("eager", [True, False], ids=["eager", "traced"])
@names
def test_numbers(name, eager):
    case, layer, wanted = CASES[name], made(name), expected(name)

    def run(**more: Any) -> np.ndarray:
        call = {**case.call(), **more}
        return layer(case.inputs(), **call) if eager else traced(layer, [case.inputs()], call)[0]

    np.testing.assert_allclose(run(), wanted["inference"], **TOLERANCE)
    if case.training:
        np.testing.assert_allclose(run(training=True), wanted["training"], **TOLERANCE)
        for k, weight in enumerate(layer.get_weights()):
            np.testing.assert_allclose(weight, wanted[f"after{k}"], **TOLERANCE)


@names
def test_gradients(name):
    case, layer, wanted = CASES[name], made(name), expected(name)
    call = {**case.call(), **({"training": True} if case.training else {})}
    found = gradients_of(layer, [case.inputs()], call)
    for key in (k for k in wanted if "gradient" in k):
        scale = max(1.0, float(np.abs(wanted[key]).max()))
        actual = found.get(key, np.zeros_like(wanted[key]))
        np.testing.assert_allclose(actual / scale, wanted[key] / scale, **TOLERANCE, err_msg=key)


@names
def test_saved_and_loaded(name, tmp_path):
    case = CASES[name]
    inputs = keras.Input(case.shape[1:])
    model = keras.Model(
        inputs, case.make(keras.layers)(inputs, **({"reverse": True} if case.reverse else {}))
    )
    model.set_weights(case.weights([w.shape for w in model.weights]))
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    x = case.inputs()
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
