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
TRAINED = ["chain", "two_inputs", "deferred", "masked", "shared_and_nested", "subclassed"]
# Without dropout, whose random numbers are each library's own: training goes on with equal losses.
EXACT = [name for name in TRAINED if name != "chain"]
MORE_STEPS = 4


def numbers_for(shapes: list[Any]) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.uniform(0.1, 1.0, tuple(s)).astype("float32") for s in shapes]


SHAPES = {
    "chain": (3, 4), "two_inputs": (3, 1), "deferred": (3, 2), "subclassed": (3, 5),
    "masked": {"out": (2, 5)}, "shared_and_nested": [(3, 4), (3, 4)],
}  # fmt: skip


def targets(name: str) -> Any:
    rng = np.random.default_rng(3)

    def numbers(shape: Any) -> Any:
        if isinstance(shape, dict):
            return {key: numbers(s) for key, s in shape.items()}
        if isinstance(shape, list):
            return [numbers(s) for s in shape]
        return rng.normal(size=shape).astype("float32")

    return numbers(SHAPES[name])


def compile_arguments(keras: Any, name: str) -> dict[str, Any]:
    """Another optimizer for each, and losses and metrics in every form."""
    o, losses, metrics = keras.optimizers, keras.losses, keras.metrics
    schedule = o.schedules.ExponentialDecay(0.1, 10, 0.9)
    mean = [metrics.MeanSquaredError(name="squares")]
    return {
        "chain": lambda: {"optimizer": o.Adam(0.01), "loss": "mse", "metrics": ["mae", *mean]},
        "two_inputs": lambda: {
            "optimizer": o.SGD(schedule, momentum=0.9, nesterov=True), "loss": "mse",
            "metrics": ["mae", *mean],
        },
        "deferred": lambda: {"optimizer": o.AdamW(0.02, clipnorm=1.0), "loss": losses.LogCosh()},
        "masked": lambda: {
            "optimizer": o.RMSprop(0.01, centered=True),
            "loss": {"out": losses.MeanSquaredError()},
            "metrics": {"out": ["mean_absolute_error"]},
        },
        "shared_and_nested": lambda: {
            "optimizer": o.Nadam(0.01), "loss": ["mean_squared_error", losses.MeanAbsoluteError()],
            "loss_weights": [1.0, 0.5], "weighted_metrics": [["mae"], None],
        },
        "subclassed": lambda: {"optimizer": o.Adagrad(0.1), "loss": "mean_absolute_error"},
    }[name]()  # fmt: skip


def train(keras: Any, name: str) -> Any:
    model = BUILDERS[name](keras)
    model.set_weights(numbers_for([w.shape for w in model.weights]))
    model.compile(**compile_arguments(keras, name))
    more_losses(model, name, 2)
    return model


def more_losses(model: Any, name: str, steps: int = MORE_STEPS) -> np.ndarray:
    """The losses of further steps."""
    x, y = inputs_of(name), targets(name)
    return np.array([model.train_on_batch(x, y, return_dict=True)["loss"] for _ in range(steps)])


def evaluated(model: Any, name: str) -> np.ndarray:
    found = model.evaluate(inputs_of(name), targets(name), verbose=0, return_dict=True)
    return np.array([found[key] for key in sorted(found)])
