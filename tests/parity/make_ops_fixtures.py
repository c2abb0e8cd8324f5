"""Numbers of real Keras for tests/ops/test_parity.py.  python tests/parity/make_ops_fixtures.py

Writes ops.npz: the bytes of all results in one array, and an index of (case, dtype, shape) in their order; an
op that returns several tensors has several rows. Cases that Keras refuses are left out.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.parity.op_cases import cases, inputs  # noqa: E402


def main() -> None:
    from keras import ops, tree

    arrays, index, data = inputs(), [], []
    for name, case in cases().items():
        try:
            leaves = tree.flatten(case(ops, arrays))
            found = [np.asarray(leaf) for leaf in leaves]
        except Exception as error:
            print(f"left out: {name}: {type(error).__name__} {str(error).splitlines()[0][:80]}")
            continue
        index += [(name, leaf.dtype.name, leaf.shape) for leaf in found]
        data += [leaf.tobytes() for leaf in found]
    packed = {"index": json.dumps(index).encode(), "data": b"".join(data)}
    np.savez_compressed(HERE / "ops.npz", **{k: np.frombuffer(v, np.uint8) for k, v in packed.items()})
    print(len(index), "results")


if __name__ == "__main__":
    main()
