"""Programs in the manner of Keras's guides run unchanged, and come to the numbers of real Keras 3.15."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kcompile as keras
from tests.parity import guides
from tests.parity.guides.programs import BY_BACKEND, run

FOLDER = Path(guides.__file__).parent
EXPECTED = {b: json.loads((FOLDER / f"{b}.json").read_text()) for b in BY_BACKEND}
PROGRAMS = [(backend, name) for backend, programs in BY_BACKEND.items() for name in programs]


@pytest.mark.parametrize("backend", BY_BACKEND)
def test_every_program_has_its_numbers(backend):
    assert EXPECTED[backend].keys() == BY_BACKEND[backend].keys()


def compare(found, expected, where):
    """Floats are close, everything else is equal."""
    assert type(found) is type(expected), where
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            compare(found[key], value, f"{where}: {key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for k, value in enumerate(expected):
            compare(found[k], value, f"{where}[{k}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5), where
    else:
        assert found == expected, where


@pytest.mark.compiled
@pytest.mark.parametrize(("backend", "name"), PROGRAMS)
def test_numbers_of_keras(backend, name):
    found = run(keras, keras.GradientTape, backend, name)
    compare(json.loads(json.dumps(found)), EXPECTED[backend][name], name)
