"""Makes applications.json: what Keras says about each case of application_cases.py.

    KERAS_BACKEND=torch python tests/parity/make_application_fixtures.py [--full FOLDER] [--only NAME]
    KERAS_BACKEND=tensorflow python tests/parity/make_application_fixtures.py --only NASNet

Keras refuses NASNet on torch, so those cases are made apart; what is there of other cases stays.

For each case: digests of the layers' configs and inputs (so that a test can name the first that differs), of
names, shapes and trainability of the weights; numbers of parameters; the outputs' shape. For `OUTPUTS`, some
output numbers. `--full` also writes configs and weights out in full, for a look at a difference.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")  # whose eager mode needs no compilation for each new shape
HERE = Path(__file__).resolve().parent
TARGET = HERE / "applications.json"
sys.path.insert(0, str(HERE.parents[1]))

import keras  # noqa: E402

from tests.parity import application_cases as cases  # noqa: E402
from tests.parity.application_digests import described, digests, measured  # noqa: E402


def without_random_numbers() -> None:
    """Zeros instead: only the structure counts, and the large models have hundreds of millions of weights."""

    def zeros(self: Any, shape: Any, dtype: Any = None) -> Any:
        return keras.ops.zeros(shape, dtype or "float32")

    for name in ("VarianceScaling", "TruncatedNormal", "RandomNormal", "RandomUniform"):
        getattr(keras.initializers, name).__call__ = zeros


def option(name: str) -> str | None:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None


def main() -> None:
    without_random_numbers()
    folder, only = option("--full"), option("--only")
    found: dict[str, Any] = {"structure": {}, "outputs": {}}
    if TARGET.is_file():
        found = json.loads(TARGET.read_text())

    def wanted(case: cases.Case) -> bool:
        return case[0].startswith(only) if only else not case[0].startswith("NASNet")

    for case in filter(wanted, cases.CASES):
        full = described(built(case))
        found["structure"][cases.key_of(case)] = digests(full)
        if folder is not None:
            (Path(folder) / f"{cases.key_of(case)}.json").write_text(json.dumps(full))
        print(cases.key_of(case), full["counts"], flush=True)
    for case in filter(wanted, cases.OUTPUTS):
        found["outputs"][cases.key_of(case)] = measured(built(case))
        print(cases.key_of(case), found["outputs"][cases.key_of(case)], flush=True)
    TARGET.write_text(json.dumps(found, indent=0) + "\n")


def built(case: cases.Case) -> Any:
    keras.utils.clear_session()
    return getattr(keras.applications, case[0])(**cases.arguments_of(case))


if __name__ == "__main__":
    main()
