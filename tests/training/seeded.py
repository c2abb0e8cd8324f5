"""Models whose training must give the same bits everywhere: `python -m tests.training.seeded NAME ...`."""

from __future__ import annotations

import hashlib
import os
import sys
from typing import Any

import numpy as np

import kcompile as keras
from kcompile import layers
from kcompile.runtime import program


def cnn() -> Any:
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def lstm() -> Any:
    return keras.Sequential(
        [
            keras.Input((12, 36)),
            layers.LSTM(20, dropout=0.2, recurrent_dropout=0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )


def transformer() -> Any:
    inputs = keras.Input((12, 36))
    x = layers.Dense(16)(inputs)
    y = layers.MultiHeadAttention(2, 8, dropout=0.2)(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, layers.Dropout(0.2)(y)]))
    x = layers.GlobalAveragePooling1D()(layers.Dense(32, activation="gelu")(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def augmented() -> Any:
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.RandomFlip(),
            layers.RandomTranslation(0.2, 0.2),
            layers.RandomBrightness(0.2, value_range=(0, 1)),
            layers.GaussianNoise(0.1),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


MODELS = {made.__name__: made for made in (cnn, lstm, transformer, augmented)}


def digest(name: str) -> str:
    """All bits after two epochs: weights, optimizer, history, a prediction."""
    keras.utils.set_random_seed(11)
    rng = np.random.default_rng(5)
    model = MODELS[name]()
    x = rng.random((70, *model.input_shape[1:]), "float32")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, rng.integers(0, 3, 70), epochs=2, validation_split=0.2, verbose=0).history
    found = hashlib.sha256(repr(history).encode())
    for array in [
        *(v.numpy() for v in [*model.variables, *model.optimizer.variables]),
        model.predict(x, verbose=0),
    ]:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    program.SMALL_WORK = 0  # threads share the work of small programs too
    if "SET_NUM_THREADS" in os.environ:
        keras.set_num_threads(int(os.environ["SET_NUM_THREADS"]))
    print(keras.get_num_threads(), *(digest(name) for name in sys.argv[1:]))
