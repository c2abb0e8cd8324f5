"""What `fit` does between the numbers: order of samples, native calls, callbacks, interruptions."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest

import kcompile as keras
from kcompile.training.data.arrays import ArrayData
from kcompile.training.runs import GROWTH, Pace
from tests.training.models import classifier, data, linear

x, y = data()


class Recorder(keras.callbacks.Callback):
    """Writes down every call, with the number of the epoch or batch."""

    def __init__(self):
        super().__init__()
        self.calls = []
        for name in dir(self):
            if name.startswith("on_") and name not in ("on_batch_begin", "on_batch_end"):
                setattr(self, name, self.recorder(name))

    def recorder(self, name):
        numbered = "batch" in name or "epoch" in name

        def record(*args, logs=None):
            self.calls.append((name, args[0]) if numbered else (name,))

        return record


def test_callbacks_are_called_in_keras_order():
    recorder = Recorder()
    linear().fit(x, y, batch_size=8, epochs=2, validation_data=(x, y), callbacks=[recorder], verbose=0)
    train = [(f"on_train_batch_{w}", k) for k in range(3) for w in ("begin", "end")]
    test = [(f"on_test_batch_{w}", k) for k in range(3) for w in ("begin", "end")]
    validation = [("on_test_begin",), *test, ("on_test_end",)]
    epochs = [
        [("on_epoch_begin", k), *train, *validation, ("on_epoch_end", k)] for k in range(2)
    ]  # fmt: skip
    assert recorder.calls == [("on_train_begin",), *epochs[0], *epochs[1], ("on_train_end",)]


def test_callbacks_of_predict():
    recorder = Recorder()
    linear().predict(x, batch_size=8, callbacks=[recorder], verbose=0)
    batches = [(f"on_predict_batch_{w}", k) for k in range(3) for w in ("begin", "end")]
    assert recorder.calls == [("on_predict_begin",), *batches, ("on_predict_end",)]


def test_steps_per_execution_joins_batches():
    recorder = Recorder()
    linear(steps_per_execution=2).fit(x, y, batch_size=4, callbacks=[recorder], verbose=0)
    batches = [call for call in recorder.calls if "batch" in call[0]]
    ends = [("on_train_batch_begin", 0), ("on_train_batch_end", 1), ("on_train_batch_begin", 2)]
    assert batches[:3] == ends and batches[-1] == ("on_train_batch_end", 5)


@pytest.mark.parametrize("unit", [2, 3, 5])
def test_an_execution_that_ends_with_a_short_batch_does_it_too(unit):
    """Also where the full batches of the data do not fill an execution."""
    expected, found = linear(metrics=["mae"]), linear(metrics=["mae"], steps_per_execution=unit)
    for model in (expected, found):
        model.fit(x[:8], y[:8], batch_size=5, epochs=2, verbose=0, shuffle=False)
    np.testing.assert_array_equal(found.get_weights()[0], expected.get_weights()[0])
    results = [m.evaluate(x[:8], y[:8], batch_size=5, verbose=0) for m in (found, expected)]
    assert results[0] == results[1]


def test_logs_are_floats_and_those_of_the_epoch_so_far():
    seen = []
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(dict(logs)))
    model = linear(optimizer=keras.optimizers.SGD(0.0), metrics=["mae"])
    history = model.fit(x, y, batch_size=10, shuffle=False, callbacks=[callback], verbose=0).history
    error = np.abs(model.predict(x, verbose=0) - y)
    assert [list(logs) for logs in seen] == [["loss", "mae"]] * 2
    assert all(type(value) is float for logs in seen for value in logs.values())
    assert seen[0]["mae"] == pytest.approx(error[:10].mean(), rel=1e-5)
    assert seen[1]["mae"] == pytest.approx(error.mean(), rel=1e-5) == history["mae"][0]


def test_stop_training_in_the_middle_of_an_epoch():
    model = linear()

    def stop(batch, logs):
        model.stop_training = batch == 1

    callback = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    history = model.fit(x, y, batch_size=4, epochs=5, verbose=0, callbacks=[callback])
    assert history.epoch == [0] and int(model.optimizer.iterations) == 2


def test_an_epoch_without_watchers_is_few_native_calls(monkeypatch):
    model = linear()
    model.fit(x, y, batch_size=2, verbose=0)
    calls = []

    def once(*_, symbols):
        calls.append(1)
        return [np.zeros(())]

    run = epoch_program(model).run
    monkeypatch.setattr(run, "repeat", lambda arrays, symbols, steps: calls.append(steps))
    monkeypatch.setattr(type(run), "__call__", once)
    model.fit(np.repeat(x, 50, 0), np.repeat(y, 50, 0), batch_size=2, verbose=0)
    assert sum(calls) == 500 and len(calls) < 20


def epoch_program(model):
    """The one program that ran over whole arrays."""
    (found,) = [p for key, (_, p) in model._training.programs._known.items() if key[0] == "epoch"]
    return found


def test_a_short_last_batch_uses_the_same_graph():
    model = linear()
    model.fit(x, y, batch_size=8, verbose=0)
    assert epoch_program(model)
    assert int(model.optimizer.iterations) == 3


def test_pace_follows_the_time_that_steps_take():
    pace = Pace()
    assert pace.steps == 1
    pace.measured(1, 1e-6)
    assert pace.steps == GROWTH
    pace.measured(GROWTH, 0.07 * 2)
    assert pace.steps == GROWTH // 2
    pace.measured(4, 10.0)
    assert pace.steps == 1


def orders(shuffle, epochs=2):
    array_data = ArrayData(np.arange(10), None, None, 4, shuffle)
    rng = np.random.default_rng(0)
    return [array_data.order(rng) for _ in range(epochs)]


def test_orders():
    first, second = orders(True)
    assert sorted(first) == list(range(10)) and list(first) != list(second)
    assert [order.tolist() for order in orders(False)] == [list(range(10))] * 2
    first, second = orders("batch")
    assert [sorted(first[k : k + 4]) for k in (0, 4, 8)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(first) != list(second)
    assert all(order.dtype == np.int64 for shuffle in (True, False, "batch") for order in orders(shuffle))


def test_shuffling_reaches_the_steps():
    """With a batch of one and a rate of 0, the loss of each step tells the sample."""

    def seen(shuffle):
        losses = []

        def note(k, logs):
            losses.append(logs["loss"] * (k + 1))

        callback = keras.callbacks.LambdaCallback(on_train_batch_end=note)
        model = linear(optimizer=keras.optimizers.SGD(0.0))
        model.fit(x, y, batch_size=1, shuffle=shuffle, callbacks=[callback], verbose=0)
        return np.diff([0.0, *losses])

    straight, shuffled = seen(False), seen(True)
    np.testing.assert_allclose(np.sort(straight), np.sort(shuffled), atol=1e-4)
    assert np.abs(straight - shuffled).max() > 1e-2


def weights_after_fit(seed, **settings):
    np.random.seed(seed)
    model = linear()
    model.fit(x, y, batch_size=3, epochs=2, verbose=0, **settings)
    return model.get_weights()[0]


def test_the_seed_decides():
    assert np.array_equal(weights_after_fit(1), weights_after_fit(1))
    assert not np.array_equal(weights_after_fit(1), weights_after_fit(2))
    assert np.array_equal(weights_after_fit(1, shuffle=False), weights_after_fit(2, shuffle=False))


def test_batch_by_batch_is_the_same_training():
    whole, single, generated = linear(metrics=["mae"]), linear(metrics=["mae"]), linear(metrics=["mae"])
    history = whole.fit(x, y, batch_size=8, shuffle=False, verbose=0).history
    batches = [(x[k : k + 8], y[k : k + 8]) for k in (0, 8, 16)]
    for batch in batches:
        single.train_on_batch(*batch)
    other = generated.fit((b for b in batches), verbose=0).history
    for a, b, c in zip(whole.get_weights(), single.get_weights(), generated.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert history == other


def test_data_of_other_libraries():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return x.astype("float64")

    class Column:
        def __array__(self, dtype=None, copy=None):
            return y[:, 0]

        def to_frame(self):
            raise NotImplementedError

    expected = linear().fit(x, y, verbose=0, shuffle=False).history["loss"]
    found = linear().fit(Tensor(), Column(), verbose=0, shuffle=False).history["loss"]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float64", "bool"])
def test_dtypes_are_converted_inside(dtype):
    numbers = np.random.default_rng(0).integers(0, 2, (20, 4)).astype(dtype)
    model, same = linear(), linear()
    loss = model.fit(numbers, y, verbose=0, shuffle=False).history["loss"]
    assert loss == same.fit(numbers.astype("float32"), y, verbose=0, shuffle=False).history["loss"]
    assert epoch_program(model).traced.graph.inputs[0].dtype == dtype  # data stays as it is in memory


def test_running_out_of_data_warns():
    with pytest.warns(UserWarning, match="ran out of data"):
        history = linear().fit(x, y, batch_size=10, steps_per_epoch=3, verbose=0)
    assert history.epoch == [0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        linear().fit(x, y, batch_size=10, steps_per_epoch=1, epochs=4, verbose=0)


def test_steps_per_epoch_goes_on_where_it_stopped():
    seen = []
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda k, logs: seen.append(logs["loss"]))
    model = linear(optimizer=keras.optimizers.SGD(0.0))
    model.fit(x, y, batch_size=5, steps_per_epoch=1, epochs=4, shuffle=False, callbacks=[callback], verbose=0)
    expected = [float(model.test_on_batch(x[k : k + 5], y[k : k + 5])) for k in (0, 5, 10, 15)]
    assert seen == pytest.approx(expected)


def test_added_losses_and_no_labels():
    class Mean(keras.layers.Layer):
        def call(self, inputs):
            self.add_loss(keras.ops.mean(keras.ops.square(inputs)))
            return inputs

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), Mean()])
    model.compile(keras.optimizers.SGD(0.1))
    losses = model.fit(x, epochs=5, verbose=0, batch_size=20).history["loss"]
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]


def test_compute_loss_may_be_overridden():
    class Doubled(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return 2.0 * super().compute_loss(x, y, y_pred, sample_weight, training)

    def build(kind):
        model = kind([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse")
        return model

    plain, doubled = build(keras.Sequential), build(Doubled)
    assert doubled.evaluate(x, y, verbose=0) == pytest.approx(2 * plain.evaluate(x, y, verbose=0))


def test_run_eagerly_gives_the_same(monkeypatch):
    import kcompile.compiler

    def fail(graph):
        raise AssertionError("compiled")

    model, eager = linear(metrics=["mae"]), linear(metrics=["mae"], run_eagerly=True)
    expected = model.fit(x, y, shuffle=False, verbose=0).history
    monkeypatch.setattr(kcompile.compiler, "compile_graph", fail)
    assert eager.fit(x, y, shuffle=False, verbose=0).history == expected


def test_history_is_the_models_too():
    model = linear()
    history = model.fit(x, y, verbose=0)
    assert model.history is history and history.model is model


def test_predictions_are_joined():
    model = linear()
    whole = model.predict(x, batch_size=20, verbose=0)
    for size in (1, 7, 32):
        np.testing.assert_allclose(model.predict(x, batch_size=size, verbose=0), whole, rtol=1e-6)
    np.testing.assert_allclose(model.predict((b for b in [(x[:5],), (x[5:],)]), verbose=0), whole, rtol=1e-6)
    np.testing.assert_allclose(model.predict(x, batch_size=10, steps=1, verbose=0), whole[:10], rtol=1e-6)


def test_predictions_keep_the_models_form():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, {"a": keras.layers.Dense(1)(inputs), "b": [keras.layers.Dense(2)(inputs)]})
    for result in (model.predict(x, batch_size=8, verbose=0), model.predict_on_batch(x)):
        assert result["a"].shape == (20, 1) and result["b"][0].shape == (20, 2)


def test_several_inputs_by_name_and_in_order():
    a, b = keras.Input((4,), name="a"), keras.Input((1,), name="b")
    model = keras.Model([a, b], keras.layers.Dense(1)(keras.layers.Concatenate()([a, b])))
    model.compile("sgd", "mse")
    by_order = model.predict([x, y], verbose=0)
    np.testing.assert_array_equal(model.predict({"a": x, "b": y}, verbose=0), by_order)
    assert model.fit([x, y], y, verbose=0).history.keys() == {"loss"}
    assert model.fit({"a": x, "b": y}, y, verbose=0).history.keys() == {"loss"}


def test_open_dimensions_share_a_program():
    model = keras.Sequential([keras.Input((None, 4)), keras.layers.Dense(1)])
    for steps in (3, 5):
        assert model.predict(np.zeros((2, steps, 4), "float32"), verbose=0).shape == (2, steps, 1)
    assert len(model._training.programs._known) == 1


@pytest.mark.compiled
@pytest.mark.slow
def test_ctrl_c_leaves_the_weights_of_the_last_finished_step():
    big_x, big_y = np.repeat(x, 50, 0), np.repeat(y, 50, 0)
    model = classifier(3)
    labels = (big_y[:, 0] > 0).astype("int64")
    model.fit(big_x[:40], labels[:40], batch_size=10, verbose=0, shuffle=False)
    model.set_weights([np.zeros((4, 3)), np.zeros(3)])
    model.optimizer.iterations.assign(0)
    sent = []
    main = threading.get_ident()

    def interrupt():
        sent.append(time.perf_counter())
        signal.pthread_kill(main, signal.SIGINT)

    timer = threading.Timer(0.4, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(big_x, labels, batch_size=10, epochs=10**6, verbose=0, shuffle=False)
    assert time.perf_counter() - sent[0] < 0.5
    steps = int(model.optimizer.iterations)
    assert steps > 100
    again = classifier(3)
    again.set_weights([np.zeros((4, 3)), np.zeros(3)])
    epochs, rest = divmod(steps, 100)
    if epochs:
        again.fit(big_x, labels, batch_size=10, epochs=epochs, verbose=0, shuffle=False)
    if rest:
        again.fit(big_x[: rest * 10], labels[: rest * 10], batch_size=10, verbose=0, shuffle=False)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_ctrl_c_inside_of_a_finalizer_is_not_lost():
    """Python swallows what is raised there."""

    class Finalized:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)

    class Dropping(keras.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            self.batches += 1
            if self.batches == 3:
                Finalized()

    model, dropping = linear(), Dropping()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(KeyboardInterrupt):
            model.fit(x, y, batch_size=2, epochs=50, verbose=0, callbacks=[dropping])
    assert dropping.batches == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_compiling_again_keeps_the_loss_and_the_metrics_that_it_does_not_name():
    model = linear(metrics=["mae"])
    before = model.evaluate(x, y, verbose=0)
    model.compile(keras.optimizers.Adam(0.5))
    assert model.evaluate(x, y, verbose=0) == before and len(before) == 2
    assert list(model.fit(x, y, verbose=0).history) == ["loss", "mae"] and model.loss == "mse"
    model.compile("sgd", "mae", metrics=["mse"])
    assert list(model.evaluate(x, y, verbose=0, return_dict=True)) == ["loss", "mse"]


class Moded(keras.layers.Layer):
    def call(self, x, training=None):
        return x * (3.0 if training else 1.0)


@pytest.mark.parametrize(
    ("call", "loss"),
    [
        (lambda self, x: self.inner(x), 0.0),
        (lambda self, x, **options: self.inner(x) * (2.0 if options.get("training") else 1.0), 0.0),
        (lambda self, x, training=None: self.inner(x), 4.0),
        (lambda self, x, training=None: self.inner(x, training=training), 4.0),
        (lambda self, x, training=True: self.inner(x), 4.0),
    ],
)
@pytest.mark.parametrize("eagerly", [False, True])
def test_a_call_without_the_argument_is_not_told_that_it_trains(call, loss, eagerly):
    """As in Keras: what it calls keeps the mode of inference. Called directly, it is told."""

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = Moded()

    Model.call = call
    model, x = Model(), np.ones((4, 3), "float32")
    model.compile("sgd", "mse", run_eagerly=eagerly)
    assert model.train_on_batch(x, x) == pytest.approx(loss)
    assert model.test_on_batch(x, x) == pytest.approx(0.0)
    assert model.fit(x, x, batch_size=2, verbose=0).history["loss"] == pytest.approx([loss])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
