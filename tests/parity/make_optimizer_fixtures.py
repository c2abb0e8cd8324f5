"""Makes the numbers of real Keras for `optimizer_cases`.

KERAS_BACKEND=jax python tests/parity/make_optimizer_fixtures.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

sys.path.insert(0, str(Path(__file__).parent))
import optimizer_cases

if __name__ == "__main__":
    found = {}
    for name, case in optimizer_cases.CASES.items():
        eager = "LossScaleOptimizer" not in case  # Keras on JAX compiles it, or fails
        found[name] = optimizer_cases.run(keras, case, eager)
    path = Path(__file__).with_name("optimizers.json")
    path.write_text("{\n" + ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in found.items()) + "\n}\n")
    print(f"{path}: {len(found)} cases")
