"""Makes constructors.json.gz: what Keras 3 (on JAX) says of constructor_cases.py.

KERAS_BACKEND=jax python tests/parity/make_constructor_fixtures.py

Of the texts, the first that differs from the class's default is kept for each argument; of the errors, the
first of each type.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import keras  # noqa: E402

from tests.parity import constructor_cases  # noqa: E402


def main() -> None:
    texts: dict[str, str] = {}
    errors: dict[str, str] = {}
    seen: set[tuple[str, str, str]] = set()
    for address, argument, expression in constructor_cases.cases(constructor_cases.signatures(keras)):
        kind, found = constructor_cases.outcome(keras, expression)
        if kind == "object":
            continue
        key = (address, argument, "" if kind == "text" else type(found).__name__)
        if key in seen or (kind == "text" and found == texts.get(f"K.{address}()")):
            continue
        seen.add(key)
        if kind == "text":
            texts[expression] = found
        else:
            errors[expression] = type(found).__name__
    data = json.dumps({"texts": texts, "errors": errors}, indent=0)
    (HERE / "constructors.json.gz").write_bytes(gzip.compress(data.encode(), mtime=0))
    print(f"{len(texts)} texts, {len(errors)} errors, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
