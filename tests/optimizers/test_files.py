"""Models with the less usual optimizers, saved by real Keras: equal state, and training goes on equally."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from tests.parity import fixtures
from tests.parity.block_cases import optimizer_files as cases

FOLDER = Path(fixtures.__file__).parent / "blocks"


@pytest.mark.parametrize("name", cases.makers(keras))
def test_training_goes_on(name, tmp_path):
    theirs = keras.models.load_model(FOLDER / f"{name}.keras")
    np.testing.assert_array_equal(cases.state(theirs), fixtures.block_arrays("optimizer_files")[name])
    theirs.save(tmp_path / "ours.keras")
    ours = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_array_equal(cases.state(ours), cases.state(theirs))
    for model in (theirs, ours):
        wanted = fixtures.block_texts("optimizer_files")[name]["losses"]
        np.testing.assert_allclose(cases.more(model), wanted, rtol=1e-5)


@pytest.mark.parametrize("name", cases.makers(keras))
def test_the_state_is_that_of_keras(name):
    """Three steps of our own give the state that Keras has saved."""
    model = cases.trained(keras, cases.makers(keras)[name]())
    wanted = fixtures.block_arrays("optimizer_files")[name]
    np.testing.assert_allclose(cases.state(model), wanted, rtol=1e-4, atol=1e-6)
