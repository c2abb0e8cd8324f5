"""Makes the numbers of real Keras for `model_kinds`.

KERAS_BACKEND=jax python tests/parity/make_kind_fixtures.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import model_kinds

if __name__ == "__main__":
    found = {
        f"{name}/{key}": value
        for name in model_kinds.KINDS
        for key, value in model_kinds.trajectory(keras, name).items()
    }
    path = Path(__file__).with_name("model_kinds.npz")
    np.savez_compressed(path, **found)
    print(f"{path}: {len(found)} arrays, {path.stat().st_size} bytes")
