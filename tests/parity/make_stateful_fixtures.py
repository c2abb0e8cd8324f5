"""Makes stateful.npz: what Keras 3 on TensorFlow says of the models of stateful_cases.py.

KERAS_BACKEND=tensorflow python tests/parity/make_stateful_fixtures.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import keras  # noqa: E402
import numpy as np  # noqa: E402

from tests.parity import stateful_cases  # noqa: E402


def main() -> None:
    arrays = {}
    for name in stateful_cases.cases():
        keras.utils.clear_session()
        arrays |= {f"{name}/{key}": array for key, array in stateful_cases.run(keras, name).items()}
    np.savez_compressed(HERE / "stateful.npz", **arrays)
    print(f"{len(stateful_cases.cases())} models, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
