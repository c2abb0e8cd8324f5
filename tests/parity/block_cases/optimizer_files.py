"""Models that have been trained a little with the less usual optimizers, to be saved with their state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def makers(keras: Any) -> dict[str, Callable[[], Any]]:
    o = keras.optimizers

    def several() -> Any:
        given = {".*bias": o.Adam(0.01, name="biases")}
        return o.MultiOptimizer(o.OptimizerMap(o.SGD(0.1, momentum=0.5, name="rest"), given), name="multi")

    return {
        "loss_scale": lambda: o.LossScaleOptimizer(o.Adam(0.01, name="inner"), name="scaled"),
        "multi": several,
        "adafactor": lambda: o.Adafactor(0.01, name="adafactor"),
        "muon": lambda: o.Muon(0.01, name="muon", exclude_layers=["last"]),
        "schedule_free": lambda: o.ScheduleFreeAdamW(0.01, name="free"),
        "lamb": lambda: o.Lamb(0.01, name="lamb", use_ema=True, gradient_accumulation_steps=2),
    }


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(71)
    return rng.normal(size=(12, 4)).astype("float32"), rng.normal(size=(12, 1)).astype("float32")


def trained(keras: Any, optimizer: Any) -> Any:
    """A model after three steps."""
    layers = [keras.Input((4,)), keras.layers.Dense(5, name="first"), keras.layers.Dense(1, name="last")]
    model = keras.Sequential(layers, name="net")
    rng = np.random.default_rng(72)
    model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    model.compile(optimizer, "mse")
    for _ in range(3):
        model.train_on_batch(*data())
    return model


def state(model: Any) -> np.ndarray:
    return np.concatenate([np.ravel(np.asarray(v, "float64")) for v in model.optimizer.variables])


def more(model: Any) -> list[float]:
    """The losses of three further steps."""
    return [float(model.train_on_batch(*data())) for _ in range(3)]
