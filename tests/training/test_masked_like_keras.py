"""Masked losses and metrics, with sample weights, through a compiled fit and evaluate: Keras's numbers."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import kcompile
from tests.parity import masked_training_cases

CASES = masked_training_cases.cases()


@cache
def fixtures() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parents[1] / "parity" / "masked_training.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", CASES)
def test_as_keras(name):
    found = CASES[name](kcompile, False)
    assert f"{name}/{len(found)}" not in fixtures()
    for number, array in enumerate(found):
        expected = fixtures()[f"{name}/{number}"]
        np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-6, err_msg=str(number))
