"""Files of real Keras with the state of every optimizer, and how training goes on from each.

KERAS_BACKEND=jax python tests/saving/make_optimizer_fixtures.py
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from pathlib import Path

import keras

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.saving.optimizer_cases import losses, network, optimizers, slots  # noqa: E402

expected = {}
with (
    tempfile.TemporaryDirectory() as folder,
    zipfile.ZipFile(
        HERE / "fixtures" / "optimizers.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9
    ) as archive,
):
    for name, make in optimizers(keras).items():
        keras.utils.clear_session()
        model = network(keras, make())
        losses(model)
        path = Path(folder) / f"{name}.keras"
        model.save(path)
        archive.write(path, path.name)
        expected[name] = {"slots": slots(model), "losses": losses(model)}
    archive.writestr("expected.json", json.dumps(expected))
