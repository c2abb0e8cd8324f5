"""Makes the numbers of real Keras for the programs in `guides`: tapes on TensorFlow, the others on JAX.

KERAS_BACKEND=tensorflow python tests/parity/make_guide_fixtures.py
KERAS_BACKEND=jax python tests/parity/make_guide_fixtures.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from tests.parity.guides.programs import BY_BACKEND, run  # noqa: E402

if __name__ == "__main__":
    backend = keras.backend.backend()
    tape = None
    if backend == "tensorflow":
        from tensorflow import GradientTape as tape
    found = {name: run(keras, tape, backend, name) for name in BY_BACKEND[backend]}
    path = HERE / "guides" / f"{backend}.json"
    path.write_text(json.dumps(found, indent=0) + "\n")
    print(f"{path}: {len(found)} programs")
