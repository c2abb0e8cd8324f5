"""Makes small.json: what Keras's own `load_data` makes of the files of small_files.py.

KERAS_BACKEND=jax python tests/datasets/make_small_fixtures.py
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ["KERAS_HOME"] = tempfile.mkdtemp()
sys.path.insert(0, str(HERE))

import small_files  # noqa: E402
from keras.src.utils import file_utils  # noqa: E402


def main() -> None:
    home = Path(os.environ["KERAS_HOME"])
    small_files.make(home / "datasets")

    def get_file(fname, origin=None, file_hash=None, extract=False, cache_subdir="datasets", **_):
        return file_utils.get_file(fname, origin, extract=extract, cache_subdir=cache_subdir)

    found = {}
    for name, calls in small_files.CALLS.items():
        module = importlib.import_module(f"keras.src.datasets.{name}")
        module.get_file = get_file  # without the hashes of the published files
        found[name] = [small_files.described(module.load_data(**options)) for options in calls]
    found["labels"] = list(importlib.import_module("keras.src.datasets.reuters").get_label_names())
    (HERE / "small.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
