"""Errors in the middle of training come out as they are, and the model stays usable; Ctrl-C too."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback

import numpy as np
import pytest

import kcompile as keras
from kcompile import callbacks
from tests.training.models import data, linear

x, y = data()
HOOKS = [name for name in dir(callbacks.Callback) if name.startswith("on_")]
OF_FIT = [name for name in HOOKS if "predict" not in name]


class Boom(Exception):
    pass


class Failing(callbacks.Callback):
    """Raises in one hook, when it is called for the time number `at`."""

    def __init__(self, hook, at=0):
        super().__init__()
        self.left = at
        setattr(self, hook, self.raises)

    def raises(self, *_, logs=None):
        if self.left == 0:
            raise Boom("in a callback")
        self.left -= 1


def names(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def usable(model):
    """It trains, evaluates and predicts as if nothing had been."""
    fresh = linear("adam")
    for one in (model, fresh):
        one.set_weights([np.full((4, 1), 0.1), np.zeros(1)])
        for variable in one.optimizer.variables:
            if variable.name != "learning_rate":
                variable.assign(np.zeros(variable.shape, variable.numpy().dtype))
    how = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0}
    assert model.fit(x, y, **how).history == fresh.fit(x, y, **how).history
    assert model.evaluate(x, y, verbose=0) == fresh.evaluate(x, y, verbose=0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), fresh.predict(x, verbose=0))
    np.testing.assert_array_equal(model(x), fresh(x))


def fails(model, **settings):
    with pytest.raises(Boom) as caught:
        model.fit(**{"x": x, "y": y, "batch_size": 4, "epochs": 2, "verbose": 0, **settings})
    return names(caught.value)


@pytest.mark.parametrize("hook", OF_FIT)
def test_an_error_in_a_callback(hook):
    model = linear("adam")
    at = 1 if "batch" in hook else 0
    assert fails(model, callbacks=[Failing(hook, at)], validation_data=(x, y))[-1] == "raises"
    usable(model)


@pytest.mark.parametrize("hook", ["on_predict_begin", "on_predict_batch_end", "on_predict_end"])
def test_an_error_in_a_callback_of_predict(hook):
    model = linear("adam")
    with pytest.raises(Boom):
        model.predict(x, batch_size=4, verbose=0, callbacks=[Failing(hook)])
    usable(model)


def broken(at, seconds=0.0):
    for k in range(10):
        if k == at:
            raise Boom("in the data")
        time.sleep(seconds)
        yield x[:4], y[:4]


@pytest.mark.parametrize("seconds", [0.0, 0.002])  # read by the caller, and by the thread that reads ahead
@pytest.mark.parametrize("at", [0, 1, 3])
def test_an_error_in_a_generator(at, seconds):
    model = linear("adam")
    assert fails(model, x=broken(at, seconds), y=None, batch_size=None)[-1] == "broken"
    usable(model)
    assert not [t for t in threading.enumerate() if t.name == "kcompile read ahead" and t.is_alive()]


def test_an_error_in_validation_data():
    model = linear("adam")
    assert fails(model, validation_data=broken(2))[-1] == "broken"
    usable(model)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_an_error_in_a_dataset(workers):
    class Data(keras.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            if index == 3:
                raise Boom("in an item")
            return x[:4], y[:4]

    model = linear("adam")
    found = fails(model, x=Data(workers=workers), y=None, batch_size=None, shuffle=False)
    assert found[-1] == "__getitem__"
    usable(model)


def test_an_error_while_a_step_is_traced():
    class Bad(keras.layers.Layer):
        fails = True

        def call(self, inputs):
            if self.fails:
                raise Boom("in a layer")
            return inputs * 1.0

    class Whole(keras.Model):
        def __init__(self):
            super().__init__()
            self.bad, self.dense = Bad(), keras.layers.Dense(1)

        def call(self, inputs):
            return self.dense(self.bad(inputs))

    model = Whole()
    model.compile("sgd", "mse")
    for _ in range(2):
        assert fails(model)[-1] == "call"
    model.bad.fails = False
    assert model.fit(x, y, verbose=0).history["loss"]
    assert keras.ops.exp(np.zeros(2)).tolist() == [1, 1]  # no trace is left open


def test_the_step_of_a_nan_is_reported():
    bad = y.copy()
    bad[9] = np.nan
    model = linear("adam")
    with pytest.raises(RuntimeError, match=r"NaN or Inf loss encountered at batch 2. Loss value: nan"):
        model.fit(
            x, bad, batch_size=4, shuffle=False, verbose=0,
            callbacks=[callbacks.TerminateOnNaN(raise_error=True)],
        )  # fmt: skip
    assert int(model.optimizer.iterations) == 3
    usable(model)


def interrupted(model, **settings):
    """Ctrl-C in the middle of fit."""

    class Press(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        model.fit(**{"x": x, "y": y, "batch_size": 4, "verbose": 0, "callbacks": [Press()], **settings})


@pytest.mark.parametrize("kind", ["arrays", "generator", "dataset"])
def test_ctrl_c(kind):
    class Data(keras.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return x[:4], y[:4]

    model = linear("adam")
    other = {"generator": lambda: broken(99, 0.002), "dataset": lambda: Data(workers=2)}
    interrupted(model, **({"x": other[kind](), "y": None, "batch_size": None} if kind in other else {}))
    assert int(model.optimizer.iterations) == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    usable(model)


@pytest.mark.compiled
def test_after_errors_compiled_programs_are_the_same_objects():
    model = linear("adam")
    model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    before = {key: program for key, (_, program) in model._training.programs._known.items()}
    fails(model, callbacks=[Failing("on_train_batch_end", 1)], shuffle=False)
    interrupted(model, shuffle=False)
    after = {key: program for key, (_, program) in model._training.programs._known.items()}
    assert before.keys() == after.keys() and all(before[key] is after[key] for key in before)
    usable(model)
