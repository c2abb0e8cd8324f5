"""Training goes on from files of real Keras, whichever optimizer it was."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from tests.saving.optimizer_cases import losses, optimizers, slots

FILES = Path(__file__).parent / "fixtures" / "optimizers.zip"


@pytest.mark.parametrize("name", optimizers(keras))
def test_state_and_training_after_it(name, tmp_path):
    with zipfile.ZipFile(FILES) as archive:
        path = archive.extract(f"{name}.keras", tmp_path)
        expected = json.loads(archive.read("expected.json"))[name]
    model = keras.models.load_model(path)
    np.testing.assert_allclose(slots(model), expected["slots"], rtol=1e-6)
    again = tmp_path / "again.keras"
    model.save(again)
    found = losses(model)
    np.testing.assert_allclose(found, expected["losses"], rtol=1e-4)
    model = keras.models.load_model(again)  # and from our file, to the same bits
    assert losses(model) == found
