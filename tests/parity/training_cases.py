"""The same losses, metrics, optimizers and small trainings for real Keras and for kcompile.

Every function takes the library as an argument. Numbers come from NumPy generators with fixed seeds, so
that the
fixtures hold results only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def probabilities(rng: np.random.Generator, *shape: int) -> np.ndarray:
    p = rng.random(shape).astype("float32") + 0.05
    return p / p.sum(-1, keepdims=True)


def loss_data(kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(y_true, y_pred, sample_weight) of 7 samples."""
    rng = np.random.default_rng(11)
    weight = rng.random(7).astype("float32")
    if kind == "sparse":
        return rng.integers(0, 4, 7), probabilities(rng, 7, 4), weight
    if kind == "sparse_logits":
        return rng.integers(0, 4, (7, 1)), rng.normal(size=(7, 4)).astype("float32") * 3, weight
    if kind == "onehot":
        return np.eye(4, dtype="float32")[rng.integers(0, 4, 7)], probabilities(rng, 7, 4), weight
    if kind == "onehot_logits":
        return np.eye(4)[rng.integers(0, 4, 7)], rng.normal(size=(7, 4)).astype("float32") * 3, weight
    if kind == "binary":
        return rng.integers(0, 2, (7, 3)), rng.random((7, 3)).astype("float32") * 0.9 + 0.05, weight
    if kind == "binary_logits":
        return rng.integers(0, 2, (7, 3)), rng.normal(size=(7, 3)).astype("float32") * 3, weight
    if kind == "positive":
        return rng.random((7, 3)) + 0.1, rng.random((7, 3)).astype("float32") + 0.1, weight
    if kind == "steps":
        return rng.integers(0, 4, (7, 5)), probabilities(rng, 7, 5, 4), np.repeat(weight[:, None], 5, 1)
    return rng.normal(size=(7, 3)), rng.normal(size=(7, 3)).astype("float32"), weight


def losses(keras: Any) -> Iterator[tuple[str, Any, str]]:
    """(name, loss, kind of data)."""
    k = keras.losses
    for name in ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "Huber", "LogCosh"):
        yield name, getattr(k, name)(), "plain"
    yield "Huber-delta", k.Huber(delta=0.3), "plain"
    yield "CosineSimilarity", k.CosineSimilarity(), "plain"
    yield "CosineSimilarity-axis0", k.CosineSimilarity(axis=0, reduction="sum"), "plain"
    for name in ("MeanSquaredLogarithmicError", "KLDivergence", "Poisson"):
        yield name, getattr(k, name)(), "positive"
    for name in ("Hinge", "SquaredHinge"):
        yield name, getattr(k, name)(), "binary_logits"
        yield name + "-signed", getattr(k, name)(), "plain"
    yield "CategoricalHinge", k.CategoricalHinge(), "onehot"
    yield "BinaryCrossentropy", k.BinaryCrossentropy(), "binary"
    yield "BinaryCrossentropy-logits", k.BinaryCrossentropy(from_logits=True), "binary_logits"
    yield "BinaryCrossentropy-smooth", k.BinaryCrossentropy(label_smoothing=0.2), "binary"
    yield "CategoricalCrossentropy", k.CategoricalCrossentropy(), "onehot"
    yield "CategoricalCrossentropy-logits", k.CategoricalCrossentropy(from_logits=True), "onehot_logits"
    smooth = k.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    yield "CategoricalCrossentropy-smooth", smooth, "onehot_logits"
    yield "SparseCategoricalCrossentropy", k.SparseCategoricalCrossentropy(), "sparse"
    yield "SparseCategoricalCrossentropy-logits", k.SparseCategoricalCrossentropy(True), "sparse_logits"
    yield "SparseCategoricalCrossentropy-steps", k.SparseCategoricalCrossentropy(), "steps"
    yield "SparseCategoricalCrossentropy-ignore", k.SparseCategoricalCrossentropy(ignore_class=2), "steps"
    yield "BinaryFocalCrossentropy", k.BinaryFocalCrossentropy(apply_class_balancing=True), "binary"
    yield (
        "BinaryFocalCrossentropy-logits",
        k.BinaryFocalCrossentropy(from_logits=True, gamma=3.0),
        "binary_logits",
    )
    yield "CategoricalFocalCrossentropy", k.CategoricalFocalCrossentropy(), "onehot"
    yield "Dice", k.Dice(), "binary"
    yield "Dice-axis", k.Dice(axis=-1), "binary"
    yield "Tversky", k.Tversky(alpha=0.3, beta=0.7), "binary"


REDUCTIONS = ("sum_over_batch_size", "sum", "none", "mean_with_sample_weight")


def metrics(keras: Any) -> Iterator[tuple[str, Any, str]]:
    """(name, metric, kind of data)."""
    k = keras.metrics
    yield "SparseCategoricalAccuracy", k.SparseCategoricalAccuracy(), "sparse"
    yield "SparseCategoricalAccuracy-column", k.SparseCategoricalAccuracy(), "sparse_logits"
    yield "SparseCategoricalAccuracy-steps", k.SparseCategoricalAccuracy(), "steps"
    yield "CategoricalAccuracy", k.CategoricalAccuracy(), "onehot"
    yield "BinaryAccuracy", k.BinaryAccuracy(), "binary"
    yield "BinaryAccuracy-threshold", k.BinaryAccuracy(threshold=0.3), "binary"
    yield "TopKCategoricalAccuracy", k.TopKCategoricalAccuracy(k=2), "onehot"
    yield "SparseTopKCategoricalAccuracy", k.SparseTopKCategoricalAccuracy(k=2), "sparse"
    yield "SparseTopKCategoricalAccuracy-steps", k.SparseTopKCategoricalAccuracy(k=2), "steps"
    for name in (
        "MeanSquaredError",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "RootMeanSquaredError",
    ):
        yield name, getattr(k, name)(), "plain"
    for name in ("CosineSimilarity", "LogCoshError"):
        yield name, getattr(k, name)(), "plain"
    for name in ("MeanSquaredLogarithmicError", "KLDivergence", "Poisson"):
        yield name, getattr(k, name)(), "positive"
    for name in ("Hinge", "SquaredHinge"):
        yield name, getattr(k, name)(), "binary_logits"
    yield "CategoricalHinge", k.CategoricalHinge(), "onehot"
    yield "BinaryCrossentropy", k.BinaryCrossentropy(), "binary"
    yield "CategoricalCrossentropy", k.CategoricalCrossentropy(), "onehot"
    yield "SparseCategoricalCrossentropy", k.SparseCategoricalCrossentropy(), "sparse"
    yield "SparseCategoricalCrossentropy-steps", k.SparseCategoricalCrossentropy(), "steps"
    for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives"):
        yield name, getattr(k, name)(), "binary"
        yield name + "-thresholds", getattr(k, name)(thresholds=[0.2, 0.5, 0.8]), "binary"
    for name in ("Precision", "Recall"):
        yield name, getattr(k, name)(), "binary"
        yield name + "-thresholds", getattr(k, name)(thresholds=[0.2, 0.5, 0.8]), "binary"
        yield name + "-class", getattr(k, name)(class_id=1), "onehot"
        yield name + "-top", getattr(k, name)(top_k=2), "onehot"
    for curve in ("ROC", "PR"):
        for method in ("interpolation", "minoring", "majoring"):
            yield f"AUC-{curve}-{method}", k.AUC(curve=curve, summation_method=method), "binary"
    yield "AUC-thresholds", k.AUC(thresholds=[0.1, 0.6, 0.7]), "binary"
    yield "AUC-labels", k.AUC(multi_label=True, num_labels=3, label_weights=[1.0, 2.0, 0.5]), "binary"
    yield "AUC-logits", k.AUC(from_logits=True), "binary_logits"
    for average in (None, "micro", "macro", "weighted"):
        yield f"F1Score-{average}", k.F1Score(average=average), "onehot"
    yield "FBetaScore", k.FBetaScore(average="macro", beta=2.0, threshold=0.3), "onehot"
    yield "MeanMetricWrapper", k.MeanMetricWrapper(keras.losses.mean_squared_error), "plain"


def optimizers(keras: Any) -> Iterator[tuple[str, Any]]:
    """(name, optimizer) for five steps on the variables and gradients below."""
    o = keras.optimizers
    s = o.schedules
    yield "SGD", o.SGD()
    yield "SGD-momentum", o.SGD(0.1, momentum=0.9)
    yield "SGD-nesterov", o.SGD(0.1, momentum=0.9, nesterov=True)
    yield "RMSprop", o.RMSprop()
    yield "RMSprop-all", o.RMSprop(0.01, rho=0.8, momentum=0.5, centered=True)
    yield "Adam", o.Adam()
    yield "Adam-amsgrad", o.Adam(0.1, amsgrad=True)
    yield "AdamW", o.AdamW(0.1)
    yield "Adadelta", o.Adadelta(1.0)
    yield "Adagrad", o.Adagrad(0.1)
    yield "Adamax", o.Adamax(0.1)
    yield "Nadam", o.Nadam(0.1)
    yield "Lion", o.Lion(0.1)
    yield "Ftrl", o.Ftrl(0.1)
    yield "Ftrl-all", o.Ftrl(0.1, -0.4, 0.2, 0.01, 0.02, 0.03, 0.1)
    yield "weight_decay", o.SGD(0.1, weight_decay=0.1)
    yield "clipnorm", o.SGD(0.1, clipnorm=0.5)
    yield "clipvalue", o.SGD(0.1, clipvalue=0.2)
    yield "global_clipnorm", o.SGD(0.1, global_clipnorm=0.5)
    yield "ema", o.Adam(0.1, use_ema=True, ema_momentum=0.9)
    yield "ema-overwrite", o.SGD(0.1, use_ema=True, ema_overwrite_frequency=2)
    yield "accumulation", o.Adam(0.1, gradient_accumulation_steps=2)
    yield "accumulation-ema", o.SGD(0.1, momentum=0.9, use_ema=True, gradient_accumulation_steps=2)
    yield "loss_scale", o.SGD(0.1, loss_scale_factor=4.0)
    yield "ExponentialDecay", o.SGD(s.ExponentialDecay(0.1, 2, 0.9))
    yield "ExponentialDecay-staircase", o.SGD(s.ExponentialDecay(0.1, 2, 0.9, staircase=True))


def schedules(keras: Any) -> Iterator[tuple[str, Any]]:
    s = keras.optimizers.schedules
    yield "ExponentialDecay", s.ExponentialDecay(0.1, 3, 0.9)
    yield "PiecewiseConstantDecay", s.PiecewiseConstantDecay([3, 7], [0.1, 0.05, 0.01])
    yield "PolynomialDecay", s.PolynomialDecay(0.1, 6, 0.01, power=2.0)
    yield "PolynomialDecay-cycle", s.PolynomialDecay(0.1, 4, 0.01, cycle=True)
    yield "InverseTimeDecay", s.InverseTimeDecay(0.1, 3, 0.5)
    yield "InverseTimeDecay-staircase", s.InverseTimeDecay(0.1, 3, 0.5, staircase=True)
    yield "CosineDecay", s.CosineDecay(0.1, 8, alpha=0.1)
    yield "CosineDecay-warmup", s.CosineDecay(0.01, 8, warmup_target=0.1, warmup_steps=4)
    yield "CosineDecayRestarts", s.CosineDecayRestarts(0.1, 3, m_mul=0.9, alpha=0.05)
    yield "CosineDecayRestarts-even", s.CosineDecayRestarts(0.1, 3, t_mul=1.0)


SCHEDULE_STEPS = range(12)
SHAPES = ((3, 4), (4,))


def variables(keras: Any) -> list[Any]:
    rng = np.random.default_rng(5)
    values = [rng.normal(size=s).astype("float32") for s in SHAPES]
    return [keras.Variable(v, name=f"w{k}") for k, v in enumerate(values)]


def gradients() -> list[list[np.ndarray]]:
    rng = np.random.default_rng(6)
    return [[rng.normal(size=s).astype("float32") for s in SHAPES] for _ in range(5)]


def mlp(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, activation="relu", kernel_regularizer=keras.regularizers.L2(0.01)),
            layers.Dense(8, activation="tanh"),
            layers.Dense(5, activation="softmax"),
        ]
    )


def cnn(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((10, 10, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(5, activation="softmax"),
        ]
    )


MODELS = {"mlp": (mlp, (12,)), "cnn": (cnn, (10, 10, 1))}
STEPS, BATCH = 20, 16


def batches(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and weights for STEPS batches of BATCH samples."""
    rng = np.random.default_rng(8)
    n = STEPS * BATCH
    x = rng.normal(size=(n, *shape)).astype("float32")
    return x, rng.integers(0, 5, n), rng.random(n).astype("float32")


def start_weights(model: Any) -> list[np.ndarray]:
    """Weights of moderate size in the shapes of the model's own; moving variances are positive."""
    rng = np.random.default_rng(9)
    return [
        (rng.normal(size=w.shape) * 0.3 + (w.ndim == 1) * 0.5).astype("float32") for w in model.get_weights()
    ]


def trajectory(keras: Any, name: str) -> dict[str, np.ndarray]:
    """Losses and accuracies of STEPS training steps, and the last weights."""
    build, shape = MODELS[name]
    model = build(keras)
    model.set_weights(start_weights(model))
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        weighted_metrics=["accuracy"],
    )
    x, y, w = batches(shape)
    logs = []
    for k in range(STEPS):
        part = slice(k * BATCH, (k + 1) * BATCH)
        logs.append([float(v) for v in model.train_on_batch(x[part], y[part], sample_weight=w[part])])
    found = {f"w{k}": np.asarray(v) for k, v in enumerate(model.get_weights())}
    return {"logs": np.array(logs), **found, "predicted": np.asarray(model.predict(x[:7], verbose=0))}
