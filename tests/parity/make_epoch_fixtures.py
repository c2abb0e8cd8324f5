"""Makes the numbers of real Keras for `epoch_cases`.

KERAS_BACKEND=jax python tests/parity/make_epoch_fixtures.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

sys.path.insert(0, str(Path(__file__).parent))
import epoch_cases

if __name__ == "__main__":
    found = {name: epoch_cases.run(keras, name) for name in epoch_cases.make_cases()}
    path = Path(__file__).with_name("epochs.json")
    path.write_text(json.dumps(found, indent=0) + "\n")
    print(f"{path}: {len(found)} cases")
