"""Makes folders.npz: what Keras's data sets of files and windows hold.

KERAS_BACKEND=jax python tests/parity/make_folder_fixtures.py
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import keras  # noqa: E402
import numpy as np  # noqa: E402

from tests.parity.folder_cases import CASES, outcome, write  # noqa: E402


def main() -> None:
    names, arrays = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        for case in CASES:
            names[case], found = outcome(keras, case, Path(folder))
            arrays.update({f"{case}/{k}": array for k, array in enumerate(found)})
    arrays["names"] = np.frombuffer(json.dumps(names).encode(), np.uint8)
    np.savez_compressed(HERE / "folders.npz", **arrays)
    print(f"{len(names)} cases, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
