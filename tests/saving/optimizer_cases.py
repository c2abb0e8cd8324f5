"""A small network under every optimizer, with all the slots that it can have; `keras` is the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

STEPS = 3  # trained before the file is written, and compared after it is read


def optimizers(keras: Any) -> dict[str, Callable[[], Any]]:
    o = keras.optimizers
    warm = {"warmup_target": 0.2, "warmup_steps": 3}
    return {
        "sgd": lambda: o.SGD(0.05, momentum=0.9, nesterov=True, clipnorm=0.5),
        "adam": lambda: o.Adam(0.01, amsgrad=True, global_clipnorm=1.0),
        "adamw": lambda: o.AdamW(0.01, weight_decay=0.1, clipvalue=0.2),
        "adadelta": lambda: o.Adadelta(1.0),
        "adagrad": lambda: o.Adagrad(0.1),
        "adamax": lambda: o.Adamax(0.01),
        "nadam": lambda: o.Nadam(0.01),
        "ftrl": lambda: o.Ftrl(0.1, l1_regularization_strength=0.01),
        "rmsprop": lambda: o.RMSprop(0.01, centered=True, momentum=0.5),
        "lion": lambda: o.Lion(0.01),
        "lamb": lambda: o.Lamb(0.01),
        "adafactor": lambda: o.Adafactor(0.01),
        "muon": lambda: o.Muon(0.01),
        "schedule_free": lambda: o.ScheduleFreeAdamW(0.01),
        "averaged": lambda: o.SGD(0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=2),
        "accumulating": lambda: o.Adam(0.01, gradient_accumulation_steps=2),
        "scheduled": lambda: o.Adam(o.schedules.CosineDecay(0.1, 10, **warm)),
        "scaled": lambda: o.LossScaleOptimizer(o.Adam(0.01), initial_scale=8.0, dynamic_growth_steps=2),
    }


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    return rng.normal(size=(12, 3)).astype("float32"), rng.normal(size=(12, 1)).astype("float32")


def network(keras: Any, optimizer: Any) -> Any:
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)]
    )
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape).astype("float32") * 0.5 for w in model.get_weights()])
    model.compile(optimizer, "mean_squared_error")
    return model


def losses(model: Any) -> list[float]:
    """Of a few more steps."""
    return [float(np.asarray(model.train_on_batch(*data()))) for _ in range(STEPS)]


def slots(model: Any) -> list[float]:
    """All numbers of the optimizer, one after the other."""
    return [float(x) for v in model.optimizer.variables for x in np.ravel(v.numpy())]
