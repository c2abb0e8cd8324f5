"""Ctrl-C where it must wait, and what a broken-off first compilation leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kcompile.core.interrupts import deferred

ROOT = Path(__file__).resolve().parents[2]


def test_it_comes_at_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt), deferred():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        done.append(1)
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_inside_is_not_lost():
    with pytest.raises(ZeroDivisionError), deferred():
        1 / 0  # noqa: B018
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_do_as_before():
    found = []

    def run():
        with deferred():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


@pytest.mark.slow
def test_an_interrupt_while_numba_is_imported_leaves_it_whole():
    """Half of a package stays in sys.modules if its import is broken off: no later `fit` would compile."""
    program = """
import os, signal, sys, threading, time
import numpy as np
import kcompile as keras

def press():
    while "numba.core.types" not in sys.modules:
        time.sleep(0.0002)
    os.kill(os.getpid(), signal.SIGINT)

model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
model.compile("sgd", "mse")
x, y = np.ones((16, 8), "float32"), np.ones((16, 3), "float32")
threading.Thread(target=press, daemon=True).start()
try:
    model.fit(x, y, epochs=100_000, verbose=0)
except KeyboardInterrupt:
    print("interrupted")
print(len(model.fit(x, y, verbose=0).history["loss"]))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KCOMPILE_CACHE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == ["interrupted", "1"], done.stderr
