"""A training whose progress is printed: `python progress_run.py LIBRARY [notebook]`.

LIBRARY is keras or kcompile. A clock that moves only when a batch is done, and losses that are the same in
both, make all bytes of the output comparable. In a notebook there is no terminal, but the package
`ipykernel` is loaded.
"""

from __future__ import annotations

import importlib
import os
import pty
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

PLACES = "terminal", "file", "notebook"


def train(keras: Any, clock: list[float]) -> None:
    class Clock(keras.callbacks.Callback):  # type: ignore[name-defined]
        """Batches take 0.25 s."""

        def on_train_batch_end(self, batch, logs=None):
            clock[0] += 0.25

        on_test_batch_end = on_predict_batch_end = on_train_batch_end

    x, y = np.ones((20, 1), "float32"), np.full((20, 1), 3.0, "float32")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mae"])
    model.fit(x, y, batch_size=4, epochs=2, validation_data=(x, y), callbacks=[Clock()])
    model.fit(x, y, batch_size=20, callbacks=[Clock()], verbose=1)
    model.fit(x, y, batch_size=4, epochs=2, callbacks=[Clock()], verbose=2)
    model.fit(((x[:4], y[:4]) for _ in range(3)), callbacks=[Clock()])
    model.fit(((x[:4], y[:4]) for _ in range(9)), steps_per_epoch=4, epochs=2, callbacks=[Clock()])
    model.fit(x, y, callbacks=[Clock()], verbose=0)
    model.evaluate(x, y, batch_size=4, callbacks=[Clock()])
    model.evaluate(x, y, batch_size=4, callbacks=[Clock()], verbose=2)
    model.predict(x, batch_size=4, callbacks=[Clock()])
    model.predict(x, batch_size=4, callbacks=[Clock()], verbose=2)


def printed(command: list[str], place: str, env: dict[str, str]) -> bytes:
    """What a program writes to a terminal, or to a pipe as it would to a file."""
    if place != "terminal":
        return subprocess.run(command, stdout=subprocess.PIPE, check=True, env=env).stdout
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, env=env) as process:
        os.close(theirs)
        found = b""
        while chunk := _read(ours):
            found += chunk
    os.close(ours)
    if process.returncode:
        raise RuntimeError(f"{command} failed")
    return found


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


def main() -> None:
    library, *more = sys.argv[1:]
    if more:
        sys.modules["ipykernel"] = ModuleType("ipykernel")
    keras = importlib.import_module(library)
    where = {"keras": "keras.src.utils.progbar", "kcompile": "kcompile.callbacks.progbar"}[library]
    clock = [100.0]
    importlib.import_module(where).time = SimpleNamespace(time=lambda: clock[0])  # type: ignore[attr-defined]
    train(keras, clock)


if __name__ == "__main__":
    main()
