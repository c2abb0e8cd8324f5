"""Metrics inside a compiled fit are those of the eager one, and of updates by hand."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras

RNG = np.random.default_rng(7)
N = 22
X = RNG.normal(size=(N, 4)).astype("float32")
CLASS = RNG.integers(0, 3, N)
WEIGHT = RNG.random(N).astype("float32")
LABELS = {
    "classes": np.eye(3, dtype="float32")[CLASS],
    "numbers": RNG.normal(size=(N, 3)).astype("float32"),
}
METRICS = {
    "OneHotMeanIoU": ("classes", lambda m: m.OneHotMeanIoU(3, dtype="float32")),
    "OneHotIoU": ("classes", lambda m: m.OneHotIoU(3, [0, 2], dtype="float32")),
    "BinaryIoU": ("classes", lambda m: m.BinaryIoU(threshold=0.4, dtype="float32")),
    "PrecisionAtRecall": ("classes", lambda m: m.PrecisionAtRecall(0.5, num_thresholds=11)),
    "RecallAtPrecision": ("classes", lambda m: m.RecallAtPrecision(0.3, class_id=1)),
    "SensitivityAtSpecificity": ("classes", lambda m: m.SensitivityAtSpecificity(0.5)),
    "SpecificityAtSensitivity": ("classes", lambda m: m.SpecificityAtSensitivity(0.5)),
    "AUC": ("classes", lambda m: m.AUC(curve="PRGAIN", num_thresholds=50)),
    "F1Score": ("classes", lambda m: m.F1Score("macro")),
    "R2Score": ("numbers", lambda m: m.R2Score(num_regressors=2)),
    "PearsonCorrelation": ("numbers", lambda m: m.PearsonCorrelation()),
    "ConcordanceCorrelation": ("numbers", lambda m: m.ConcordanceCorrelation()),
}


def model_of(metric, **settings):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    model.compile("sgd", "mse", weighted_metrics=[metric], **settings)
    return model


@pytest.mark.parametrize("name", METRICS)
def test_fit_and_evaluate(name):
    kind, make = METRICS[name]
    y = LABELS[kind]
    weight = None if name == "BinaryIoU" else WEIGHT  # it takes a weight for each label only
    fits = []
    for eagerly in (False, True):
        model = model_of(make(keras.metrics), run_eagerly=eagerly)
        settings = {"batch_size": 8, "epochs": 2, "verbose": 0, "shuffle": False}
        history = model.fit(X, y, sample_weight=weight, validation_data=(X[:9], y[:9]), **settings).history
        fits.append(list(history.values()))
    np.testing.assert_allclose(fits[0], fits[1], rtol=1e-4, atol=1e-6)
    value = model.evaluate(X, y, sample_weight=weight, verbose=0, batch_size=8)[1]
    metric = make(keras.metrics)
    metric.update_state(y, model.predict(X, verbose=0), sample_weight=weight)
    np.testing.assert_allclose(value, float(metric.result()), rtol=1e-4)


@pytest.mark.parametrize("batch", [5, 16, 37])
def test_top_k_counts_of_a_compiled_model(batch):
    """The target's own probability, computed twice by one kernel, must not count as larger than itself."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(37, 6)).astype("float32"), rng.integers(0, 5, 37)
    inputs = keras.Input((6,))
    model = keras.Model(inputs, keras.layers.Dense(5, activation="softmax")(inputs))
    model.set_weights([rng.normal(size=(6, 5)).astype("float32"), np.zeros(5, "float32")])
    metric = keras.metrics.SparseTopKCategoricalAccuracy(2)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[metric])
    found = model.evaluate(x, y, batch_size=batch, verbose=0)[-1]
    best = np.argsort(-model.predict(x, verbose=0), -1)[:, :2]
    assert round(found * 37) == sum(t in row for t, row in zip(y, best, strict=True))


def test_a_name_given_to_compile_counts_once():
    """As in Keras: the metric made of it takes a number, what only looked at the name does not."""

    def number():
        return int(keras.metrics.AUC().name.removeprefix("auc").lstrip("_") or 0)

    before = number()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["AUC"])
    assert number() == before + 1
    model.evaluate(X, CLASS[:, None] > 1, verbose=0)
    assert number() == before + 3
