"""Models in several Python threads, in forked processes, and in pools of processes."""

from __future__ import annotations

import faulthandler
import itertools
import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.ir.graph import Interning
from kcompile.runtime import program

pytestmark = pytest.mark.compiled
rng = np.random.default_rng(3)
x = rng.normal(size=(96, 24)).astype("float32")
y = rng.integers(0, 3, 96)


def build(width):
    model = keras.Sequential(
        [
            keras.Input((24,)),
            layers.Dense(width, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(1)),
            layers.BatchNormalization(),
            layers.Dropout(0.3, seed=4),
            layers.Dense(3, activation="softmax", kernel_initializer=keras.initializers.GlorotUniform(2)),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trained(width):
    """Weights, history and a prediction, as plain data."""
    model = build(width)
    history = model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0).history
    return [w.tolist() for w in model.get_weights()], history, model.predict(x[:9], verbose=0).tolist()


@pytest.fixture(autouse=True)
def shared_out(monkeypatch):
    """Threads share the work of small programs too."""
    monkeypatch.setattr(program, "SMALL_WORK", 0)
    before = keras.get_num_threads()
    keras.set_num_threads(3)
    yield
    keras.set_num_threads(before)


def in_threads(functions):
    """What each gives when all run at the same time."""
    results, start = [None] * len(functions), threading.Barrier(len(functions))

    def run(k):
        start.wait()
        results[k] = functions[k]()

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_two_models_train_in_two_threads():
    expected = [trained(width) for width in (32, 40)]
    for _ in range(3):  # built, traced, planned and run side by side
        assert in_threads([lambda: trained(32), lambda: trained(40)]) == expected
    assert in_threads([lambda: trained(32)] * 3) == [expected[0]] * 3


def test_one_model_predicts_in_several_threads_while_another_trains():
    model, other = build(32), build(40)
    expected = [model.predict(x[:n], verbose=0) for n in (5, 64)]

    def predicted():
        return all(
            np.array_equal(model.predict(x[:n], verbose=0), expected[k])
            for _ in range(50)
            for k, n in enumerate((5, 64))
        )

    def training():
        other.fit(x, y, batch_size=16, epochs=10, verbose=0)
        return True

    assert in_threads([predicted, predicted, training]) == [True] * 3


def in_a_fork(function, seconds=50):
    """What a forked child finds; where it stands, if it crashes or does not come back in so many seconds."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        faulthandler.enable(write)
        faulthandler.dump_traceback_later(seconds, file=write)
        signal.alarm(seconds + 10)
        try:
            os.write(write, repr(function()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        found = file.read().decode()
    os.waitpid(child, 0)
    return found or None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_goes_on_with_the_model_and_trains_new_ones():
    expected = trained(32)
    model, twin = build(32), build(32)
    for one in (model, twin):
        one.fit(x, y, batch_size=16, shuffle=False, verbose=0)

    def more(one):
        return one.fit(x, y, batch_size=16, shuffle=False, verbose=0).history, one.get_weights()[0].tolist()

    in_child = in_a_fork(lambda: (more(model), trained(32)))
    assert in_child == repr((more(twin), expected))
    assert more(model)[0] and trained(32) == expected  # the parent goes on as well


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_another_thread_compiles(monkeypatch):
    """The child compiles, too: no lock stays closed in it, be it ours, Numba's or LLVM's."""
    monkeypatch.setenv("KCOMPILE_CACHE", "0")
    expected, stop = trained(32), threading.Event()

    def compiling():
        for units in itertools.count(101):
            if stop.is_set():
                return
            build(units).fit(x, y, batch_size=16, verbose=0)

    thread = threading.Thread(target=compiling)
    thread.start()
    try:
        for units in range(50, 53):
            time.sleep(0.1)
            assert in_a_fork(lambda units=units: (trained(units), trained(32))[1]) == repr(expected)
    finally:
        stop.set()
        thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_the_collector_frees_what_llvm_made():
    """Any thread's collection may enter LLVM, at any moment and without a lock of ours."""
    from llvmlite import binding as llvm

    sums = "".join(f"  %v{k} = add i64 %{f'v{k - 1}' if k else 'x'}, {k}\n" for k in range(2000))
    text, stop = f"define i64 @f(i64 %x) {{\n{sums}  ret i64 %v1999\n}}\n", threading.Event()

    def inside_of_llvm():
        while not stop.is_set():
            llvm.parse_assembly(text)

    thread = threading.Thread(target=inside_of_llvm)
    thread.start()
    try:
        for _ in range(3):
            assert in_a_fork(lambda: llvm.parse_assembly(text) is not None, seconds=5) == "True"
    finally:
        stop.set()
        thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_another_thread_trains():
    expected = trained(32)
    model, stop = build(40), threading.Event()

    def training():
        while not stop.is_set():
            model.fit(x, y, batch_size=16, verbose=0)

    thread = threading.Thread(target=training)
    thread.start()
    try:
        for _ in range(3):
            assert in_a_fork(lambda: trained(32)) == repr(expected)
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_of_processes(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    expected = [trained(width) for width in (32, 40)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map_async(trained, (32, 40)).get(timeout=120) == expected


def test_equal_objects_made_at_the_same_time_are_one():
    import weakref

    class Made:
        pass

    table, interning = weakref.WeakValueDictionary(), Interning()
    for key in range(200):
        found = in_threads([lambda key=key: interning.first(table, key, Made())] * 3)
        assert found[0] is found[1] is found[2]
