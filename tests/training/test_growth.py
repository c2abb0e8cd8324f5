"""Memory stays as it is, however often a model is called; and what nobody holds any more is freed."""

from __future__ import annotations

import gc
import itertools
import weakref

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.ir import graph

pytestmark = pytest.mark.compiled
SIZES = (1, 7, 16, 32, 33, 64)
WINDOWS = 3
rng = np.random.default_rng(0)
x, y = rng.normal(size=(64, 16)).astype("float32"), rng.integers(0, 3, 64)


def network():
    model = keras.Sequential(
        [
            keras.Input((16,)),
            layers.Dense(32, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def resident():
    """Bytes of this process in memory."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def generated(size):
    return ((x[:size], y[:size]) for _ in range(3))


CALLS = {
    "train_on_batch": (lambda m, n: m.train_on_batch(x[:n], y[:n]), 10_000),
    "test_on_batch": (lambda m, n: m.test_on_batch(x[:n], y[:n]), 10_000),
    "predict": (lambda m, n: m.predict(x[:n], verbose=0), 10_000),
    "predict_on_batch": (lambda m, n: m.predict_on_batch(x[:n]), 10_000),
    "call": (lambda m, n: m(x[:n]), 10_000),
    "call_in_training": (lambda m, n: m(x[:n], training=True), 2000),
    "predict_in_batches": (lambda m, n: m.predict(x[:n], batch_size=8, verbose=0), 1000),
    "fit": (lambda m, n: m.fit(x[:n], y[:n], batch_size=16, verbose=0), 1000),
    "fit_validated": (lambda m, n: m.fit(x, y, validation_split=0.2, batch_size=n, verbose=0), 500),
    "fit_generated": (lambda m, n: m.fit(generated(n), verbose=0), 300),
    "evaluate": (lambda m, n: m.evaluate(x[:n], y[:n], verbose=0), 1000),
    "weights": (lambda m, n: (m.set_weights(m.get_weights()), m(x[:n])), 500),
}


def growth(call, model, times):
    """The least growth of several windows over so many calls: what leaks grows in each."""
    for k in range(60):
        call(model, SIZES[k % len(SIZES)])
    marks = [resident()]
    for _ in range(WINDOWS):
        for k in range(-(-times // WINDOWS)):
            call(model, SIZES[k % len(SIZES)])
        marks.append(resident())
    return min(b - a for a, b in itertools.pairwise(marks))


@pytest.mark.parametrize("name", ["train_on_batch", "predict", "fit_generated"])
def test_calls_leave_nothing_behind(name):
    call, times = CALLS[name]
    assert growth(call, network(), times // 10) <= 0


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_ten_thousand_calls_leave_nothing_behind(name):
    call, times = CALLS[name]
    assert growth(call, network(), times) <= 0


def test_models_that_nobody_holds_are_freed_at_once():
    """One collection, not one for each layer of the graph."""

    def made():
        model = network()
        model.train_on_batch(x, y)
        model(x)
        return weakref.ref(model)

    made()
    gc.collect()
    nodes = len(graph._interned)
    models = [made() for _ in range(3)]
    for _ in range(2):  # models first, then the values of their graphs
        gc.collect()
    assert all(model() is None for model in models)
    assert len(graph._interned) - nodes < 20
