"""Makes the numbers of real Keras for `compiled_metric_cases`.

KERAS_BACKEND=jax python tests/parity/make_compiled_metric_fixtures.py           writes compiled_metrics.json
KERAS_BACKEND=jax python tests/parity/make_compiled_metric_fixtures.py 500 900   prints cases of other seeds
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

sys.path.insert(0, str(Path(__file__).parent))
import compiled_metric_cases as cases

if __name__ == "__main__":
    first, last = map(int, sys.argv[1:]) if len(sys.argv) > 1 else (0, cases.COUNT)
    text = json.dumps({str(seed): cases.run(keras, seed) for seed in range(first, last)}, indent=0)
    if len(sys.argv) > 1:
        print(text)
    else:
        path = Path(__file__).with_name("compiled_metrics.json")
        path.write_text(text + "\n")
        print(path)
