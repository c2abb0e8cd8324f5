"""Models against what Keras says of the same models: tests/parity/models.json."""

from __future__ import annotations

import json
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
from tests.parity.model_cases import BUILDERS, SUBCLASSED, SUMMARIES, inputs_of, summary_text, weights_like

FIXTURE = Path(__file__).resolve().parents[1] / "parity" / "models.json"


@cache
def fixture() -> dict[str, Any]:
    return json.loads(FIXTURE.read_text())


@pytest.fixture(params=BUILDERS)
def case(request, monkeypatch):
    """(name, model, what Keras says)"""
    naming.reset()
    monkeypatch.setenv("COLUMNS", "80")
    return request.param, BUILDERS[request.param](keras), fixture()[request.param]


def plain(x: Any) -> Any:
    return json.loads(json.dumps(x))


def test_summary(case):
    _, model, wanted = case
    for options, text in zip(SUMMARIES, wanted["summaries"], strict=True):
        assert summary_text(model, options) == text


def test_names_and_weights(case):
    _, model, wanted = case
    assert (model.name, repr(model)) == (wanted["name"], wanted["repr"])
    assert [[v.path, list(v.shape), v.trainable] for v in model.variables] == wanted["variables"]
    assert [v.path for v in model.weights] == wanted["weights"]
    assert [v.path for v in model.trainable_weights] == wanted["trainable_weights"]
    assert [repr(layer) for layer in model.layers] == wanted["layers"]


def test_inputs_and_outputs(case):
    _, model, wanted = case
    for name in ("input_shape", "output_shape", "output_names"):
        assert plain(getattr(model, name, None)) == wanted[name], name


def test_config(case):
    _, model, wanted = case
    assert plain(model.get_config()) == wanted["config"]
    assert plain(model.get_build_config()) == wanted["build_config"]


@pytest.mark.parametrize("target", ["reference", "cpu"])
def test_outputs(case, target):
    name, model, wanted = case
    if not model.built:
        pytest.skip("has no inputs yet")
    model.set_weights(weights_like([v.shape for v in model.weights]))
    with config(target=target):
        outputs = tree.flatten(model(inputs_of(name)))
    for found, expected in zip(outputs, wanted["outputs"], strict=True):
        np.testing.assert_allclose(found, expected, **TOLERANCE)
    np.testing.assert_allclose([float(x) for x in model.losses], wanted["losses"], rtol=1e-5)


def test_from_config_of_keras(case):
    """A model made from Keras's own config computes what Keras computed."""
    name, model, wanted = case
    if "outputs" not in wanted or name in SUBCLASSED:
        pytest.skip("cannot be made from its config")
    naming.reset()
    copy = type(model).from_config(wanted["config"])
    assert plain(copy.get_config()) == wanted["config"]
    copy.set_weights(weights_like([v.shape for v in copy.weights]))
    with config(target="reference"):
        outputs = tree.flatten(copy(inputs_of(name)))
    for found, expected in zip(outputs, wanted["outputs"], strict=True):
        np.testing.assert_allclose(found, expected, **TOLERANCE)


def test_clone(case):
    _, model, wanted = case
    if "clone" not in wanted:
        pytest.skip("Keras does not clone it")
    naming.reset()
    copy = keras.models.clone_model(model)
    assert copy.layers[0] is not model.layers[0]
    assert [[v.path for v in copy.weights], [layer.name for layer in copy.layers]] == wanted["clone"]
