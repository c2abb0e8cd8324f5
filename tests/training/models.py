"""Small models for the training tests."""

from __future__ import annotations

from typing import Any

import numpy as np

import kcompile as keras


def data(n: int = 20, features: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets (n, 1) that a linear model can learn."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, features)).astype("float32")
    return x, (x.sum(1, keepdims=True) * 0.5).astype("float32")


def linear(optimizer: Any = "sgd", **settings: Any) -> Any:
    """Dense(1) on 4 features, compiled with mse unless told otherwise."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.set_weights([np.full((4, 1), 0.1), np.zeros(1)])
    model.compile(optimizer=optimizer, **{"loss": "mse", **settings})
    return model


def classifier(classes: int = 3, **settings: Any) -> Any:
    """Softmax over classes, compiled with sparse cross-entropy unless told otherwise."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(classes, activation="softmax")])
    model.compile(**{"optimizer": "sgd", "loss": "sparse_categorical_crossentropy", **settings})
    return model
