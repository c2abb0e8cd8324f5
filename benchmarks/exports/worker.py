"""Writes the files of one exporter: ``python -m benchmarks.exports.worker EXPORTER FOLDER``.

It reads a case's name a line from stdin and answers a line: "ok FILE" or "failed REASON". What the model
itself computes is written beside the file, whether there is one or not.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(exporter: str, folder: Path) -> None:
    # What libraries print, in C++ too, must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from benchmarks.exports.cases import build, inputs
    from benchmarks.exports.exporters import library, writer
    from benchmarks.exports.files import path_of, write_predicted

    keras, write = library(exporter), writer(exporter)
    for line in sys.stdin:
        name = line.rstrip("\n")
        path = path_of(folder, exporter, name)
        try:
            keras.utils.clear_session()
            model, arrays = build(keras, name), inputs(name)
            found = model(arrays if len(arrays) > 1 else arrays[0], training=False)  # Keras wants a call, too
            write_predicted(path, keras.tree.flatten(found))
            write(model, path)
            told = f"ok {path}"
        except Exception as error:
            told = f"failed {type(error).__name__}: {error}".replace("\n", " ")[:300]
        print(told, file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
