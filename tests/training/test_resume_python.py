"""Trainings whose steps are Python, interrupted: they go on to the same bits."""

from __future__ import annotations

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
