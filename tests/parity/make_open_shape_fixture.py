"""Makes open_shapes.json: what Keras 3 says about each case of open_shape_cases.py.

KERAS_BACKEND=jax python tests/parity/make_open_shape_fixture.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import keras  # noqa: E402

from tests.parity.open_shape_cases import described  # noqa: E402


def main() -> None:
    rows = []
    for name, found in described(keras).items():
        said = found[0].__name__ if isinstance(found[0], type) else found
        rows.append(f"{json.dumps(name)}: {json.dumps(said)}")
    (HERE / "open_shapes.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
