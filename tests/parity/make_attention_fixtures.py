"""Makes attention.npz: results of Keras 3 (on JAX) for attention_cases.py.

KERAS_BACKEND=jax python tests/parity/make_attention_fixtures.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.parity.attention_cases import CASES, arrays  # noqa: E402


def main() -> None:
    from keras import ops

    found = {name: np.asarray(case(ops, arrays())) for name, case in CASES.items()}
    np.savez_compressed(HERE / "attention.npz", **found)
    print(len(found), "results")


if __name__ == "__main__":
    main()
