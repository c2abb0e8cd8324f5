"""Training and evaluation over masked time steps: losses, metrics, and sample weights of every shape.

Each case trains one epoch and evaluates, so that it holds the loss, its gradient and the metrics. What they
show during training is left out: Keras on JAX loses the mask on the way out of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

ROWS, STEPS, UNITS = 7, 4, 3
LENGTHS = (4, 2, 3, 1, 4, 3, 0)  # one sequence is masked as a whole
LOSSES = {
    "MeanSquaredError": "numbers", "MeanAbsoluteError": "numbers", "MeanAbsolutePercentageError": "numbers",
    "MeanSquaredLogarithmicError": "numbers", "CosineSimilarity": "numbers", "Huber": "numbers",
    "LogCosh": "numbers", "KLDivergence": "numbers", "Poisson": "numbers", "Hinge": "signs",
    "SquaredHinge": "signs", "CategoricalHinge": "one-hot", "BinaryCrossentropy": "bits",
    "BinaryFocalCrossentropy": "bits", "CategoricalCrossentropy": "one-hot",
    "CategoricalFocalCrossentropy": "one-hot", "SparseCategoricalCrossentropy": "classes",
}  # fmt: skip
ACTIVATIONS = {"one-hot": "softmax", "classes": "softmax", "signs": "tanh"}
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight")
WEIGHTS = ("none", "rows", "steps")
METRICS: dict[str, Callable[[Any], list[Any]]] = {
    "numbers": lambda m: [
        m.MeanSquaredError(), m.RootMeanSquaredError(), m.MeanAbsolutePercentageError(), m.LogCoshError(),
        m.CosineSimilarity(), m.KLDivergence(), m.Poisson(),
    ],
    "bits": lambda m: [
        m.BinaryAccuracy(threshold=0.4), m.BinaryCrossentropy(label_smoothing=0.1), m.Precision([0.3, 0.6]),
        m.Recall(), m.AUC(num_thresholds=20), m.AUC(curve="PR", name="pr"), m.TruePositives(),
        m.SensitivityAtSpecificity(0.5, num_thresholds=20),
    ],
    "one-hot": lambda m: [
        "acc", m.CategoricalAccuracy(), m.TopKCategoricalAccuracy(2), m.CategoricalCrossentropy(),
    ],
    "classes": lambda m: [
        "accuracy", m.SparseCategoricalAccuracy(), m.SparseTopKCategoricalAccuracy(2),
        m.SparseCategoricalCrossentropy(),
    ],
    "signs": lambda m: [m.Hinge(), m.SquaredHinge()],
}  # fmt: skip
OF_KIND = {
    "numbers": "MeanSquaredError", "bits": "BinaryCrossentropy", "one-hot": "CategoricalCrossentropy",
    "classes": "SparseCategoricalCrossentropy", "signs": "Hinge",
}  # fmt: skip


def sequences() -> np.ndarray:
    x = np.random.RandomState(0).uniform(-1, 1, (ROWS, STEPS, 3)).astype("float32")
    for row, length in enumerate(LENGTHS):
        x[row, length:] = 0
    return x


def targets(kind: str) -> np.ndarray:
    rng, shape = np.random.RandomState(9), (ROWS, STEPS, UNITS)
    if kind == "numbers":
        return rng.uniform(0.1, 0.9, shape).astype("float32")
    if kind in ("bits", "signs"):
        return (rng.randint(0, 2, shape) * (1 if kind == "bits" else 2) - (kind == "signs")).astype("float32")
    classes = rng.randint(0, UNITS, shape[:2]).astype("int32")
    return classes if kind == "classes" else np.eye(UNITS, dtype="float32")[classes]


def weights(kind: str) -> np.ndarray | None:
    shape = {"rows": (ROWS, 1), "steps": (ROWS, STEPS)}.get(kind)
    return None if shape is None else np.random.RandomState(4).uniform(0, 2, shape).astype("float32")


def trained(
    k: Any, kind: str, loss: Any, weighted: list[Any], plain: list[Any], weight: str, eager: bool
) -> Any:
    """Weights after an epoch, then the loss and the metrics of all rows."""
    x, y, w = sequences(), targets(kind), weights(weight)
    inputs = k.Input((STEPS, 3))
    layer = k.layers.Dense(UNITS, activation=ACTIVATIONS.get(kind, "sigmoid"))
    model = k.Model(inputs, layer(k.layers.Masking()(inputs)))
    rng = np.random.RandomState(50)
    model.set_weights([rng.uniform(-0.7, 0.7, v.shape).astype("float32") for v in model.get_weights()])
    model.compile(k.optimizers.SGD(0.1), loss, metrics=plain, weighted_metrics=weighted, run_eagerly=eager)
    model.fit(x, y, sample_weight=w, batch_size=3, shuffle=False, verbose=0)
    shown = model.evaluate(x, y, sample_weight=w, batch_size=3, verbose=0)
    values = [np.asarray(v, "float64").reshape(-1) for v in (shown if isinstance(shown, list) else [shown])]
    return [*model.get_weights(), np.concatenate(values)]


def cases() -> dict[str, Callable[[Any, bool], list[np.ndarray]]]:
    """Name -> function of (keras or kcompile, whether to run eagerly)."""
    found: dict[str, Any] = {}
    for number, (name, kind) in enumerate(LOSSES.items()):
        reductions = REDUCTIONS if name == "MeanSquaredError" else (REDUCTIONS[number % 3],)
        for reduction in reductions:
            for weight in WEIGHTS if name == "MeanSquaredError" else (WEIGHTS[1 + number % 2],):
                found[f"{name}-{reduction}-{weight}"] = (
                    lambda k, eager, n=name, t=kind, r=reduction, w=weight: trained(
                        k, t, getattr(k.losses, n)(reduction=r), [], [], w, eager
                    )
                )
    for kind, metrics in METRICS.items():
        for weight in WEIGHTS[::2] if kind in ("one-hot", "signs") else WEIGHTS:
            found[f"metrics-{kind}-{weight}"] = lambda k, eager, t=kind, m=metrics, w=weight: trained(
                k, t, getattr(k.losses, OF_KIND[t])(), m(k.metrics), m(k.metrics)[:2], w, eager
            )
    return found
