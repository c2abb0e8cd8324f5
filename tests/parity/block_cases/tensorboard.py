"""Trainings that are logged for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.parity.block_cases.hooks import data

Run = Callable[[Any, str], None]


def model_of(keras: Any) -> Any:
    layers = keras.layers
    stack = [keras.Input((4,)), layers.Dense(3, name="first"), layers.Reshape((3, 1), name="turn")]
    stack += [layers.Conv1D(2, 2, name="conv"), layers.Flatten(name="flat"), layers.Dense(1, name="last")]
    model = keras.Sequential(stack, name="net")
    rng = np.random.default_rng(63)
    model.set_weights([(rng.random(w.shape) * 0.8).astype("float32") for w in model.get_weights()])
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse", metrics=["mae"])
    return model


def fit(keras: Any, folder: str, epochs: int = 2, validation: bool = True, **settings: Any) -> None:
    x, y = data()
    logger = keras.callbacks.TensorBoard(folder, **settings)
    how = {"validation_data": (x[:9], y[:9])} if validation else {}
    model_of(keras).fit(
        x, y, batch_size=8, epochs=epochs, verbose=0, shuffle=False, callbacks=[logger], **how
    )


def evaluate(keras: Any, folder: str) -> None:
    x, y = data()
    logger = keras.callbacks.TensorBoard(folder, write_graph=False)
    model_of(keras).evaluate(x, y, verbose=0, callbacks=[logger])


CASES: dict[str, Run] = {
    "epochs": fit,
    "no validation": lambda k, d: fit(k, d, validation=False, write_graph=False),
    "batches": lambda k, d: fit(k, d, update_freq="batch", write_graph=False),
    "every second batch": lambda k, d: fit(k, d, epochs=3, update_freq=2, write_graph=False),
    "seldom": lambda k, d: fit(k, d, epochs=3, update_freq=4, histogram_freq=1, write_graph=False),
    "histograms": lambda k, d: fit(k, d, epochs=3, histogram_freq=2, write_graph=False),
    "images": lambda k, d: fit(k, d, epochs=1, histogram_freq=1, write_images=True, write_graph=False),
    "speed": lambda k, d: fit(
        k, d, write_steps_per_second=True, update_freq="batch", validation=False, write_graph=False
    ),
    "speed of epochs": lambda k, d: fit(
        k, d, write_steps_per_second=True, validation=False, write_graph=False
    ),
    "evaluate": evaluate,
}
