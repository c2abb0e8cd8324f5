"""Data that ends inside of an execution of several steps: what real Keras 3.15 does, with numbers of JAX."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from kcompile.training.data import read_ahead
from tests.parity import execution_cases

EXPECTED = json.loads((Path(execution_cases.__file__).parent / "executions.json").read_text())


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """However busy the machine is, no thread reads ahead, which would be no difference to Keras's numbers."""
    monkeypatch.setattr(read_ahead, "SLOW", 1e9)


def test_every_case_has_its_numbers():
    assert execution_cases.make_cases().keys() == EXPECTED.keys()


def _numbers(seen):
    return [value for row in seen for value in (row[2].values() if len(row) > 2 else ())]


@pytest.mark.parametrize("name", [name for name, case in EXPECTED.items() if "error" not in case])
def test_hooks_logs_and_the_next_epoch(name):
    found, expected = execution_cases.run(keras, name), EXPECTED[name]
    assert "error" not in found
    assert [row[:2] for row in found["seen"]] == [row[:2] for row in expected["seen"]]
    told = [[list(row[2]) for row in rows["seen"] if len(row) > 2] for rows in (found, expected)]
    assert told[0] == told[1]
    np.testing.assert_allclose(_numbers(found["seen"]), _numbers(expected["seen"]), rtol=2e-5)
    assert found["warned"] == expected["warned"]
    assert list(found["history"]) == list(expected["history"])
    for key, values in expected["history"].items():
        np.testing.assert_allclose(found["history"][key], values, rtol=2e-5, atol=1e-6, err_msg=key)
    np.testing.assert_allclose(found["weights"], expected["weights"], rtol=2e-5, atol=1e-6)
