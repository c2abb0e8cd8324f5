"""`fit`, `evaluate` and the rest return what Keras returns: names, order, numbers; and weights go Keras's
way."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from tests.parity import fixtures, history_cases
from tests.parity import training_cases as cases

HISTORIES = json.loads((Path(history_cases.__file__).parent / "histories.json").read_text())
CASES = history_cases.make_cases()


def compare(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in expected:
            compare(found[name], expected[name])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            compare(a, b)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
    else:
        assert found == expected


def test_every_case_has_its_numbers():
    assert CASES.keys() == HISTORIES.keys()


@pytest.mark.parametrize("name", CASES)
def test_calls_return_what_keras_returns(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compare(CASES[name](keras), HISTORIES[name])


@pytest.mark.parametrize("name", cases.MODELS)
def test_twenty_steps_go_keras_way(name):
    found = cases.trajectory(keras, name)
    for key, value in found.items():
        expected = fixtures.training()[f"trajectory/{name}/{key}"]
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4, err_msg=key)


@pytest.mark.compiled
@pytest.mark.slow
@pytest.mark.parametrize("name", cases.MODELS)
def test_twenty_compiled_steps_go_keras_way(name):
    found = cases.trajectory(keras, name)
    for key, value in found.items():
        expected = fixtures.training()[f"trajectory/{name}/{key}"]
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4, err_msg=key)
