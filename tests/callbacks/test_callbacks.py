"""Callbacks act as Keras's do."""

from __future__ import annotations

import csv
import warnings

import numpy as np
import pytest

import kcompile as keras
from kcompile import callbacks
from kcompile.callbacks.callback import watches_batches
from tests.training.models import data, linear

x, y = data()


def fit(*used, model=None, epochs=6, **settings):
    model = model or linear()
    history = model.fit(x, y, epochs=epochs, verbose=0, callbacks=list(used), **settings)
    return model, history


class Logs(callbacks.Callback):
    """Puts values of its own into the logs of the epochs, before the callbacks behind it see them."""

    def __init__(self, name, values):
        super().__init__()
        self.name, self.values = name, values

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]


class Weights(callbacks.Callback):
    """The bias at the end of each epoch."""

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(float(self.model.get_weights()[1][0]))


# --- EarlyStopping -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, settings, epochs",
    [
        ([3, 2, 1, 2, 2, 2], {}, 4),
        ([3, 2, 1, 2, 2, 2], {"patience": 2}, 5),
        ([3, 2.95, 2.9, 2.85, 2, 1], {"min_delta": 0.2, "patience": 2}, 3),
        ([1, 2, 3, 2, 1, 0], {"mode": "max"}, 4),
        ([5, 5, 5, 1, 1, 1], {"start_from_epoch": 3}, 5),
        ([5, 4, 3, 2, 1, 1], {"baseline": 1.5, "patience": 2}, 6),
        ([5, 5, 5, 5, 5, 5], {}, 2),  # the first epoch is never the last
    ],
)
def test_early_stopping(values, settings, epochs):
    stopper = callbacks.EarlyStopping("value", **{"mode": "min", **settings})
    _, history = fit(Logs("value", values), stopper)
    assert len(history.epoch) == epochs


def test_early_stopping_restores_the_best_weights(capsys):
    weights = Weights()
    stopper = callbacks.EarlyStopping("value", mode="min", restore_best_weights=True, verbose=1)
    model, _ = fit(Logs("value", [3, 1, 2, 0, 0, 0]), weights, stopper)
    assert float(model.get_weights()[1][0]) == weights.seen[1] != weights.seen[2]
    assert capsys.readouterr().out == (
        "Epoch 3: early stopping\nRestoring model weights from the end of the best epoch: 2.\n"
    )


def test_early_stopping_without_its_metric():
    with pytest.warns(UserWarning, match="`val_loss` which is not available. Available metrics are: loss"):
        fit(callbacks.EarlyStopping(), epochs=1)


def test_directions_come_from_the_metrics():
    model = linear(metrics=["mae", keras.metrics.CosineSimilarity()])
    for name, direction in (("val_loss", "lt"), ("val_mae", "lt"), ("cosine_similarity", "gt")):
        stopper = callbacks.EarlyStopping(name)
        fit(stopper, model=model, epochs=1, validation_split=0.2)
        assert stopper.monitor_op.__name__ == direction
    with pytest.raises(ValueError, match=r"monitor=value.*Pass `mode='max'`"):
        fit(Logs("value", [1]), callbacks.EarlyStopping("value"), epochs=1)


def test_an_unknown_mode_is_auto():
    with pytest.warns(UserWarning, match="mode 'up' is unknown"):
        assert callbacks.EarlyStopping(mode="up").mode == "auto"


# --- learning rates ----------------------------------------------------------------------------------------


def test_learning_rate_scheduler(capsys):
    scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5, verbose=1)
    _, history = fit(scheduler, model=linear(keras.optimizers.SGD(0.5)), epochs=3)
    assert history.history["learning_rate"] == [0.25, 0.125, 0.0625]
    assert (
        capsys.readouterr().out.splitlines()[1]
        == "Epoch 1: LearningRateScheduler setting learning rate to 0.25."
    )
    _, history = fit(callbacks.LearningRateScheduler(lambda epoch: 1.0 / (epoch + 1)), epochs=2)
    assert history.history["learning_rate"] == [1.0, 0.5]
    with pytest.raises(ValueError, match="should be a float. Got: 1"):
        fit(callbacks.LearningRateScheduler(lambda epoch: 1))


@pytest.mark.parametrize(
    "settings, rates",
    [
        ({"patience": 1}, [0.1, 0.1, 0.1, 0.01, 0.001, 0.001]),
        ({"patience": 2}, [0.1, 0.1, 0.1, 0.1, 0.01, 0.01]),
        ({"patience": 1, "cooldown": 2}, [0.1, 0.1, 0.1, 0.01, 0.01, 0.01]),
        ({"patience": 1, "min_lr": 0.05}, [0.1, 0.1, 0.1, 0.05, 0.05, 0.05]),
    ],
)
def test_reduce_lr_on_plateau(settings, rates):
    plateau = callbacks.ReduceLROnPlateau("value", mode="min", factor=0.1, **settings)
    model = linear(keras.optimizers.SGD(0.1))
    _, history = fit(Logs("value", [3, 2, 2, 2, 1, 0]), plateau, model=model)
    assert history.history["learning_rate"] == pytest.approx(rates)


def test_a_factor_that_does_not_reduce():
    with pytest.raises(ValueError, match="factor >= 1.0"):
        callbacks.ReduceLROnPlateau(factor=1.5)


# --- NaN ---------------------------------------------------------------------------------------------------


def test_terminate_on_nan(capsys):
    bad = y.copy()
    bad[9] = np.nan
    model = linear()
    history = model.fit(
        x, bad, batch_size=4, shuffle=False, epochs=3, verbose=0, callbacks=[callbacks.TerminateOnNaN()]
    )
    assert history.epoch == [0] and int(model.optimizer.iterations) == 3
    assert capsys.readouterr().out == "Batch 2: Invalid loss, terminating training\n"
    with pytest.raises(RuntimeError, match="NaN or Inf loss encountered at batch 2"):
        linear().fit(
            x,
            bad,
            batch_size=4,
            shuffle=False,
            verbose=0,
            callbacks=[callbacks.TerminateOnNaN(raise_error=True)],
        )


# --- files -------------------------------------------------------------------------------------------------


def rows(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    fit(callbacks.CSVLogger(path), epochs=2)
    header, first, _ = rows(path)
    assert header == ["epoch", "loss", "val_loss"] and first[0] == "0" and first[2] == "NA"
    fit(callbacks.CSVLogger(path, append=True), epochs=1)
    assert [row[0] for row in rows(path)] == ["epoch", "0", "1", "0"]
    fit(callbacks.CSVLogger(path, separator=";"), epochs=1, validation_split=0.2)
    assert rows(path)[0] == ["epoch;loss;val_loss"]


class Saves:
    """What a model was asked to save, in place of files."""

    def __init__(self, model, monkeypatch):
        self.files = []
        for method in ("save", "save_weights"):
            monkeypatch.setattr(
                type(model), method, lambda _, path, overwrite, m=method: self.files.append((m, path))
            )


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({}, ["m-01.keras", "m-02.keras", "m-03.keras", "m-04.keras"]),
        ({"save_best_only": True, "monitor": "value", "mode": "min"}, ["m-01.keras", "m-03.keras"]),
        (
            {"save_best_only": True, "monitor": "value", "mode": "min", "initial_value_threshold": 2.5},
            ["m-03.keras"],
        ),
        (
            {"save_freq": 2},
            ["m-01.keras", "m-02.keras", "m-02.keras", "m-03.keras", "m-04.keras", "m-04.keras"],
        ),
    ],
)
def test_model_checkpoint(tmp_path, monkeypatch, settings, expected):
    model = linear()
    saves = Saves(model, monkeypatch)
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "new" / "m-{epoch:02d}.keras", **settings)
    fit(Logs("value", [3, 4, 2, 2]), checkpoint, model=model, epochs=4, batch_size=8)
    assert [path for _, path in saves.files] == [str(tmp_path / "new" / name) for name in expected]
    assert (tmp_path / "new").is_dir()


def test_model_checkpoint_names(tmp_path, monkeypatch, capsys):
    model = linear()
    saves = Saves(model, monkeypatch)
    path = str(tmp_path / "{epoch}-{value:.1f}.weights.h5")
    checkpoint = callbacks.ModelCheckpoint(
        path, save_weights_only=True, save_best_only=True, monitor="value", mode="min", verbose=1
    )
    fit(Logs("value", [3, 4]), checkpoint, model=model, epochs=2)
    name = str(tmp_path / "1-3.0.weights.h5")
    assert saves.files == [("save_weights", name)]
    assert capsys.readouterr().out.splitlines() == [
        "",
        f"Epoch 1: value improved from None to 3.00000, saving model to {name}",
        "",
        f"Epoch 1: finished saving model to {name}",
        "",
        "Epoch 2: value did not improve from 3.00000",
    ]


def test_model_checkpoint_errors(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"must end in `.keras`"):
        callbacks.ModelCheckpoint("model.txt")
    with pytest.raises(ValueError, match=r"must end in `.weights.h5`"):
        callbacks.ModelCheckpoint("model.keras", save_weights_only=True)
    with pytest.raises(ValueError, match="Unrecognized save_freq: batch"):
        callbacks.ModelCheckpoint("model.keras", save_freq="batch")
    model = linear()
    Saves(model, monkeypatch)
    with pytest.raises(KeyError, match="Failed to format.*nothing"):
        fit(callbacks.ModelCheckpoint(str(tmp_path / "{nothing}.keras")), model=model)
    with pytest.warns(UserWarning, match="Can save best model only with val_loss"):
        fit(callbacks.ModelCheckpoint(tmp_path / "m.keras", save_best_only=True), model=model, epochs=1)


# --- lists of callbacks ------------------------------------------------------------------------------------


def test_only_callbacks_that_look_at_batches_slow_training_down():
    silent = [
        callbacks.EarlyStopping("loss"),
        callbacks.ModelCheckpoint("m.keras"),
        callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
        callbacks.CSVLogger("log.csv"),
    ]
    assert callbacks.CallbackList(silent, add_progbar=True, verbose=1, epochs=1, steps=1).watchers(
        "train"
    ) == (
        True,
        False,
    )
    assert callbacks.CallbackList(silent[2:]).watchers("train") == (False, False)
    for each in (
        callbacks.TerminateOnNaN(),
        callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None),
        callbacks.ModelCheckpoint("m.keras", save_freq=3),
    ):
        assert callbacks.CallbackList([*silent, each]).watchers("train") == (True, True)
        assert not watches_batches(each, "test")


def test_logs_become_floats_in_order():
    seen = []
    group = callbacks.CallbackList(
        [callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs))]
    )
    group.on_epoch_end(0, {"loss": np.float32(2), "b": {"a": np.array(1.0)}, "text": "t"})
    assert seen == [{"a": 1.0, "loss": 2.0, "text": "t"}] and list(seen[0]) == ["a", "loss", "text"]


def test_a_list_of_callbacks_may_be_nested_and_given_whole():
    history = callbacks.History()
    seen = []
    note = callbacks.LambdaCallback(on_train_end=lambda logs: seen.append(logs))
    model = linear()
    found = model.fit(x, y, verbose=0, callbacks=[[history], note])
    assert found is history and seen == [{"loss": history.history["loss"][0]}]
    whole = callbacks.CallbackList([history], model=model, verbose=0, epochs=1, steps=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.fit(x, y, verbose=0, callbacks=whole) is history
    assert len(history.history["loss"]) == 2


@pytest.mark.parametrize(
    "hook", [name for name in dir(callbacks.Callback) if name.startswith("on_") and "batch" not in name]
)
def test_hooks_may_name_the_logs_as_they_like(hook):
    """Keras gives them by position there, and by name to hooks of batches only."""
    seen = []
    function = (lambda self, epoch, rest: seen.append(rest)) if "epoch" in hook else (
        lambda self, rest: seen.append(rest)
    )  # fmt: skip
    callback = type("Named", (callbacks.Callback,), {hook: function})()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2)), np.ones((4, 1))
    model.fit(x, y, validation_data=(x, y), callbacks=[callback], verbose=0)
    model.predict(x, callbacks=[callback], verbose=0)
    assert seen and all(isinstance(logs, dict) for logs in seen)


def test_orbax_says_what_to_use():
    with pytest.raises(
        ImportError, match=r"checkpoints of Orbax.*\n.*'here'\n.*ModelCheckpoint.*BackupAndRestore"
    ):
        keras.callbacks.OrbaxCheckpoint("here", save_best_only=True)


def test_the_first_epoch_is_never_the_last():
    """As in Keras, whatever the patience."""
    stop = callbacks.EarlyStopping("loss", mode="max", patience=0)
    stop.set_model(linear())
    stop.on_train_begin()
    stop.best = 1.0
    stop.on_epoch_end(0, {"loss": 0.5})
    assert not stop.model.stop_training
    stop.on_epoch_end(1, {"loss": 0.4})
    assert stop.model.stop_training


def test_a_rate_at_its_minimum_is_not_reduced():
    reduce = callbacks.ReduceLROnPlateau("loss", patience=1, cooldown=5, min_lr=0.01)
    reduce.set_model(linear())
    reduce.model.optimizer.learning_rate = 0.01
    reduce.on_train_begin()
    for epoch in range(3):
        reduce.on_epoch_end(epoch, {"loss": 1.0})
    assert not reduce.in_cooldown() and reduce.wait == 2
