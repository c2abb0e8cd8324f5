"""Models that Keras and kcompile save and load from each other; `keras` is the library."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.model_cases import BUILDERS, inputs_of

NAMES = [
    "chain", "deferred", "functional_chain", "with_ops", "masked", "shared_and_nested", "two_inputs",
    "frozen", "subclassed",
]  # fmt: skip
# Trained for two steps and saved with optimizer, losses and metrics.
TRAINED = ["chain", "two_inputs"]


def numbers_for(shapes: list[Any]) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.uniform(0.1, 1.0, tuple(s)).astype("float32") for s in shapes]


def targets(model: Any, name: str) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.normal(size=(3, *model.output_shape[1:])).astype("float32")


def train(keras: Any, name: str) -> Any:
    model = BUILDERS[name](keras)
    model.set_weights(numbers_for([w.shape for w in model.weights]))
    if name == "chain":
        optimizer: Any = keras.optimizers.Adam(0.01)
    else:
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True)
    model.compile(optimizer, loss="mse", metrics=["mae", keras.metrics.MeanSquaredError(name="squares")])
    for _ in range(2):
        model.train_on_batch(inputs_of(name), targets(model, name))
    return model
