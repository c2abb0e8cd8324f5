"""Makes gradients.npz: gradients of Keras 3 (on JAX) at the special points of gradient_cases.py.

    KERAS_BACKEND=jax python tests/parity/make_gradient_fixtures.py

For each case `NAME.K` is the gradient of sum(weights * function) by array number K.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import jax  # noqa: E402
import numpy as np  # noqa: E402
from keras import ops  # noqa: E402

from tests.parity.gradient_cases import CASES, Case, weights  # noqa: E402


def gradients(case: Case) -> list[np.ndarray]:
    y, pull_back = jax.vjp(lambda *xs: case.function(ops, *xs), *case.arrays)
    return [np.asarray(d) for d in pull_back(jax.numpy.asarray(weights(y.shape)))]


def main() -> None:
    found = {}
    for name, case in CASES.items():
        try:
            slopes = gradients(case)
        except (AttributeError, NotImplementedError, TypeError) as error:
            print(f"{name}: {error}")
            continue
        found |= {f"{name}.{k}": d for k, d in enumerate(slopes)}
    np.savez_compressed(HERE / "gradients.npz", **found)
    print(f"{len(CASES)} cases")


if __name__ == "__main__":
    main()
