"""Trainings whose steps are Python, interrupted: they go on to the same bits."""

from __future__ import annotations

import warnings
from contextlib import suppress

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(40, 4)).astype("float32"), rng.normal(size=(40, 1)).astype("float32")


class Stop(Exception):
    pass


class StopAfter(keras.callbacks.Callback):
    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise Stop


class Looks(keras.Model):
    """A call that no trace can follow: it asks for numbers."""

    def __init__(self):
        super().__init__()
        self.inner, self.drop = layers.Dense(1), layers.Dropout(0.5)
        self.compile("adam", "mse", metrics=["mae"], run_eagerly=True)
        self(X[:2])

    def call(self, x, training=False):
        y = self.inner(self.drop(x, training=training))
        return y if float(ops.max(x)) < 1e9 else y * 0


class LooksInStep(Looks):
    def __init__(self):
        super().__init__()
        self.mine = keras.optimizers.Adam(0.05)

    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as tape:
            loss = ops.mean((self(x, training=True) + keras.random.normal((1,)) - y) ** 2)
        slopes = tape.gradient(loss, self.inner.trainable_variables)
        self.mine.apply_gradients(zip(slopes, self.inner.trainable_variables, strict=True))
        return {"loss": loss}


class Function(keras.Model):
    """Random numbers, a metric and optimizers that our step knows nothing of."""

    def __init__(self):
        super().__init__()
        self.first, self.second = layers.Dense(3), layers.Dense(1)
        self.mine = keras.metrics.Mean(name="mine")
        self.optimizers = [keras.optimizers.Adam(0.05), keras.optimizers.SGD(0.05, momentum=0.9)]
        self.compile("sgd")
        self(X[:2])

    def call(self, x):
        return self.second(self.first(x))

    def make_train_function(self, force=False):
        def function(batches):
            x, y = next(batches)
            for layer, optimizer in zip((self.first, self.second), self.optimizers, strict=True):
                with keras.GradientTape() as tape:
                    loss = ops.mean((self(x) + keras.random.normal((1,)) - y) ** 2)
                slopes = tape.gradient(loss, layer.trainable_variables)
                optimizer.apply_gradients(zip(slopes, layer.trainable_variables, strict=True))
            self.mine.update_state(loss)
            return {"mine": self.mine.result()}

        self.train_function = function


@pytest.mark.parametrize("save_freq", [1, "epoch"])
@pytest.mark.parametrize("kind", [Looks, LooksInStep, Function])
def test_going_on_gives_the_same_bits(tmp_path, kind, save_freq):
    def fit(*callbacks):
        keras.utils.set_random_seed(5)
        model = kind()
        return model, model.fit(X, Y, batch_size=8, epochs=3, verbose=0, callbacks=list(callbacks)).history

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path, save_freq=save_freq)

    whole, history = fit()
    for steps in (7, 4):
        with pytest.raises(Stop):
            fit(backup(), StopAfter(steps))
    again, resumed = fit(backup())
    assert {name: values[-1] for name, values in resumed.items()} == {n: v[-1] for n, v in history.items()}
    for found, expected in zip(again.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert again.optimizer.built == whole.optimizer.built  # one that nothing uses gets no slots


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("takes", [0, 1, 2])
def test_going_on_inside_of_a_pass_of_given_steps(tmp_path, takes, steps):
    """Five batches, three steps an epoch; a metric says its own although calls tell others."""

    class Takes(Function):
        def make_train_function(self, force=False):
            def function(batches):
                taken = [next(batches) for _ in range(takes)]
                self.mine.update_state(float(taken[0][0].sum()) if taken else 2.0)
                return {"mine": -1.0, "loss": -1.0}

            self.train_function = function

    def fit(*callbacks):
        seen, model = [], Takes()
        record = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: seen.append(f"b{batch}"),
            on_train_batch_end=lambda batch, logs: seen.append(f"e{batch}"),
            on_epoch_end=lambda epoch, logs: seen.append(logs["mine"]),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            how = {"batch_size": 8, "shuffle": False, "steps_per_epoch": 3, "epochs": 4, "verbose": 0}
            with suppress(Stop):
                model.fit(X, Y, callbacks=[record, *callbacks], **how)
        return seen

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path, save_freq=1)

    whole = fit()
    begun = fit(backup(), StopAfter(steps))
    assert whole[: len(begun)] == begun
    resumed = fit(backup())
    assert len(whole) - len(begun) <= len(resumed) and whole[-len(resumed) :] == resumed
