"""Ctrl-C where it must wait, and what a broken-off first compilation leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import kcompile
from kcompile.core.interrupts import deferred
from kcompile.training import interrupts as interrupts_of_training

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


def press():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)


def test_the_first_press_gives_the_old_handler_back():
    """Wherever it comes: after it, nothing is left to restore."""
    with interrupts_of_training.noted() as check:
        with pytest.raises(KeyboardInterrupt):
            press()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_built_is_built_whole():
    class Slow(kcompile.optimizers.Adam):
        def add_variable_from_reference(self, *args, **kwargs):
            if not self._pressed:
                self._pressed = True
                press()
            return super().add_variable_from_reference(*args, **kwargs)

        _pressed = False

    class Layer(kcompile.layers.Layer):
        def build(self, shape):
            self.a = self.add_weight(shape=(2,))
            press()
            self.b = self.add_weight(shape=(3,))

    variable = kcompile.Variable(np.ones(3, "float32"))
    optimizer, layer = Slow(0.1), Layer()
    with pytest.raises(KeyboardInterrupt):
        optimizer.build([variable])
    optimizer.apply([np.ones(3, "float32")], [variable])
    assert variable.numpy().tolist() != [1, 1, 1]
    with pytest.raises(KeyboardInterrupt):
        layer.build((None, 3))
    assert layer.built and [w.shape for w in layer.weights] == [(2,), (3,)]
