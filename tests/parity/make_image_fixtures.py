"""Numbers of real Keras (on JAX) for images.  python tests/parity/make_image_fixtures.py

Writes image_ops.npz: the result of every case in image_op_cases.py. Cases that Keras refuses are left out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.parity import packed  # noqa: E402
from tests.parity.image_op_cases import cases, inputs  # noqa: E402


def main() -> None:
    from keras import ops, tree

    arrays, found = inputs(), {}
    for name, case in cases().items():
        try:
            found[name] = [np.asarray(leaf) for leaf in tree.flatten(case(ops, arrays))]
        except Exception as error:
            print(f"left out: {name}: {type(error).__name__} {str(error).splitlines()[0][:90]}")
    packed.save(HERE / "image_ops.npz", found)
    print(len(found), "results")


if __name__ == "__main__":
    main()
