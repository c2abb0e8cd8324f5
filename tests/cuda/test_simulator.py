"""A second opinion: the path of a real device, run by Numba's simulator of CUDA in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# The simulator runs every thread as a Python thread, so the model is tiny; it has all layouts but scatter.
PROGRAM = """
import numpy as np
import kcompile as keras
from kcompile.core.config import config

x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
y = np.array([0, 1, 1, 0, 1], "int32")
found = []
for target in ("cpu", "cuda"):
    keras.utils.set_random_seed(0)
    with config(target=target):
        hidden = [keras.layers.Dense(4, "relu"), keras.layers.Dropout(0.5)]
        model = keras.Sequential([keras.Input((3,)), *hidden, keras.layers.Dense(2)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
        found.append([*model.train_on_batch(x, y), *model.get_weights(), model.predict_on_batch(x)])
for want, got in zip(*found, strict=True):
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
print("the same", len(found[0]))
"""


@pytest.mark.slow
def test_a_training_step_in_numbas_simulator():
    env = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == "the same 7", done.stderr
