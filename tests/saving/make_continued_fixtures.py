"""Run by real Keras: makes files that kcompile trains on, and trains on with those of kcompile.

KERAS_BACKEND=jax python tests/saving/make_continued_fixtures.py         # writes fixtures/continued.zip
KERAS_BACKEND=jax python tests/saving/make_continued_fixtures.py FOLDER  # trains on with files there
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import keras  # noqa: E402

from tests.saving.continued_cases import KINDS, endings, read, written  # noqa: E402


def make() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = {kind: written(keras, kind, folder) for kind in KINDS}
        (folder / "expected.json").write_text(json.dumps(expected))
        target = HERE / "fixtures" / "continued.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, path.name)
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        make()
    else:
        folder = Path(sys.argv[1])
        names = [(n, e) for n in KINDS for e in endings(n) if e != ".h5"]  # Keras trains on with no .h5 file
        print(json.dumps({f"{n}{e}": read(keras, n, e, folder) for n, e in names}))
