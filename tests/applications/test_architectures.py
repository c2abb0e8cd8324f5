"""Every architecture beside Keras: layers, weights, numbers of parameters, and outputs.

What Keras says lies in tests/parity/applications.json, made by tests/parity/make_application_fixtures.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from tests.parity import application_cases as cases
from tests.parity.application_digests import described, digest, digests, fill, measured, summary

KERAS = json.loads((Path(__file__).parents[1] / "parity" / "applications.json").read_text())
TOLERANCE = 1e-5  # of the largest output; the networks have up to 600 layers


def built(case):
    keras.utils.clear_session()
    return getattr(keras.applications, case[0])(**cases.arguments_of(case))


@pytest.fixture
def without_random_numbers(monkeypatch):
    """Zeros instead: the largest network has 350 million weights."""
    for name in ("VarianceScaling", "TruncatedNormal", "RandomNormal", "RandomUniform"):
        monkeypatch.setattr(
            getattr(keras.initializers, name),
            "__call__",
            lambda self, shape, dtype=None: np.zeros(shape, dtype or "float32"),
        )


def weighty(case):
    """A case; one whose weights alone take some seconds to allocate counts as slow."""
    large = KERAS["structure"][cases.key_of(case)]["counts"][0] > 50_000_000
    return pytest.param(case, id=cases.key_of(case), marks=[pytest.mark.slow] if large else [])


@pytest.mark.parametrize("case", map(weighty, cases.CASES))
def test_structure(case, without_random_numbers):
    full = described(built(case))
    wanted, found = KERAS["structure"][cases.key_of(case)], digests(full)
    for k, layer in enumerate(full["layers"]):
        assert digest(layer)[:4] == wanted["layers"][4 * k : 4 * k + 4], f"differs first: {layer}"
    assert found == wanted


@pytest.mark.parametrize("case", cases.OUTPUTS, ids=cases.key_of)
def test_outputs(case, without_random_numbers):
    """Through the references of the ops: compiling all of these networks would take minutes."""
    model = built(case)
    found = summary(np.asarray(model.call(fill(model))))
    wanted = np.array(KERAS["outputs"][cases.key_of(case)])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE * wanted[2])


def test_compiled_outputs():
    """One network that has most of what the others have: depthwise, squeeze and excitation, residuals."""
    case = ("MobileNetV3Small", {"classifier_activation": None})
    wanted = np.array(KERAS["outputs"][cases.key_of(case)])
    np.testing.assert_allclose(measured(built(case)), wanted, rtol=0, atol=TOLERANCE * wanted[2])


def test_every_architecture_of_keras_is_compared():
    api = json.loads((Path(__file__).parents[1] / "parity" / "keras_api.json").read_text())
    assert set(cases.WIDTHS) == set(api["modules"]["keras.applications"])
    assert {case[0] for case in cases.OUTPUTS} >= set(cases.FAMILIES)


def test_the_digests_see_a_difference(without_random_numbers):
    case = ("MobileNet", {})
    other = digests(described(built(("MobileNet", {"alpha": 0.5}))))
    wanted = KERAS["structure"][cases.key_of(case)]
    assert all(other[key] != wanted[key] for key in ("layers", "weights", "counts"))
