"""Makes fixtures.json and the .keras files: what Keras 3 (on TensorFlow, which knows text) says of each case.

KERAS_BACKEND=tensorflow python tests/parity/preprocessing/make_fixtures.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

import keras  # noqa: E402
import numpy as np  # noqa: E402

from tests.parity.preprocessing.cases import CASES, outcome, plain  # noqa: E402
from tests.parity.preprocessing.models import FILES  # noqa: E402


def main() -> None:
    found = {}
    for name in CASES:
        keras.utils.clear_session()
        found[name] = outcome(keras, name)
    outputs = {}
    for name, (make, inputs) in FILES.items():
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)
        model = make(keras)
        path = HERE / f"{name}.keras"
        model.save(path)
        given = (
            {k: keras.ops.convert_to_tensor(v) for k, v in inputs.items()}
            if isinstance(inputs, dict)
            else None
        )
        outputs[name] = plain(
            np.asarray(model(keras.ops.convert_to_tensor(inputs) if given is None else given))
        )
    text = json.dumps({"cases": found, "outputs": outputs}, indent=0, ensure_ascii=False)
    (HERE / "fixtures.json").write_text(text, "utf-8")
    print(f"{len(found)} cases, {len(outputs)} files, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
