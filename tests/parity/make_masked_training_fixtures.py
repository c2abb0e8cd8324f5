"""Write what Keras computes for the cases of `masked_training_cases.py`. Run from the repository's root:

KERAS_BACKEND=jax python tests/parity/make_masked_training_fixtures.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.parity import masked_training_cases

HERE = Path(__file__).resolve().parent


def main() -> None:
    import keras

    found = {}
    for name, run in masked_training_cases.cases().items():
        for number, array in enumerate(run(keras, True)):
            found[f"{name}/{number}"] = array
    np.savez_compressed(HERE / "masked_training.npz", **found)


if __name__ == "__main__":
    main()
