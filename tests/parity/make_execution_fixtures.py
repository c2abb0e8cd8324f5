"""Makes the numbers of real Keras for `execution_cases`.

KERAS_BACKEND=jax python tests/parity/make_execution_fixtures.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

sys.path.insert(0, str(Path(__file__).parent))
import execution_cases

if __name__ == "__main__":
    found = {name: execution_cases.run(keras, name) for name in execution_cases.make_cases()}
    path = Path(__file__).with_name("executions.json")
    path.write_text(json.dumps(found, separators=(",", ":")) + "\n")
    print(f"{path}: {len(found)} cases")
