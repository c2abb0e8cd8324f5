"""Calls of `fit` and `evaluate` in many forms, for real Keras and for kcompile alike: what they return is
compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

N = 22
# Keras on JAX forgets masks before it updates the metrics; on TensorFlow and PyTorch it does not.
MASKED = ("masks", "masks and weights", "ignored class")


def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, class numbers, numbers and weights of N samples."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, 4)).astype("float32")
    return (
        x,
        rng.integers(0, 3, N),
        rng.normal(size=(N, 1)).astype("float32"),
        rng.random(N).astype("float32"),
    )


def reset(model: Any) -> Any:
    rng = np.random.default_rng(4)
    model.set_weights([(rng.normal(size=w.shape) * 0.4).astype("float32") for w in model.get_weights()])
    return model


def classifier(keras: Any, **settings: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, activation="relu"), layers.Dense(3, activation="softmax")]
    )
    settings = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **settings}
    reset(model).compile(optimizer=keras.optimizers.SGD(0.1), **settings)
    return model


def regressor(keras: Any, **settings: Any) -> Any:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    reset(model).compile(optimizer=keras.optimizers.SGD(0.05), **{"loss": "mse", **settings})
    return model


def two_heads(keras: Any, as_dict: bool = False, **settings: Any) -> Any:
    inputs = keras.Input((4,), name="x")
    shared = keras.layers.Dense(5, activation="tanh", name="shared")(inputs)
    a = keras.layers.Dense(1, name="a")(shared)
    b = keras.layers.Dense(3, activation="softmax", name="b")(shared)
    model = keras.Model(inputs, {"a": a, "b": b} if as_dict else [a, b])
    reset(model).compile(optimizer=keras.optimizers.SGD(0.05), **settings)
    return model


LOSSES = {"a": "mse", "b": "sparse_categorical_crossentropy"}


def fit(model: Any, *args: Any, **kwargs: Any) -> dict[str, list[float]]:
    settings = {"verbose": 0, "shuffle": False, "epochs": 2, "batch_size": 8, **kwargs}
    return model.fit(*args, **settings).history


def make_cases() -> dict[str, Callable[[Any], Any]]:
    x, c, r, w = arrays()

    def batches() -> Any:
        for start in range(0, N, 8):
            yield x[start : start + 8], r[start : start + 8]

    def dataset(keras: Any) -> Any:
        class Batches(keras.utils.PyDataset):
            def __len__(self) -> int:
                return 3

            def __getitem__(self, k: int) -> Any:
                return x[k * 8 : k * 8 + 8], c[k * 8 : k * 8 + 8]

        return Batches()

    def evaluated(model: Any, *args: Any, **kwargs: Any) -> Any:
        result = model.evaluate(*args, verbose=0, batch_size=8, **kwargs)
        return result

    heads = {"loss": ["mse", "sparse_categorical_crossentropy"]}
    words, tags, marks = sequences()
    return {
        "masks": lambda k: fit(tagger(k, weighted_metrics=["accuracy"]), words, tags),
        "masks and weights": lambda k: fit(
            tagger(k, weighted_metrics=["accuracy"]), words, tags, sample_weight=marks
        ),
        "ignored class": lambda k: fit(
            tagger(k, loss=k.losses.SparseCategoricalCrossentropy(ignore_class=1)), words, tags
        ),
        "areas": lambda k: fit(
            classifier(
                k, metrics=[k.metrics.AUC(name="auc"), k.metrics.Precision(name="precision")], loss="mse"
            ),
            x,
            np.eye(3)[c],
        ),
        "plain": lambda k: fit(regressor(k), x, r),
        "no batch size": lambda k: fit(regressor(k), x, r, batch_size=None),
        "metrics": lambda k: fit(regressor(k, metrics=["mae", "mse", k.metrics.MeanSquaredError()]), x, r),
        "same metric twice": lambda k: fit(
            regressor(k, metrics=["mae", "mae"], weighted_metrics=["mae"]), x, r
        ),
        "function as metric": lambda k: fit(regressor(k, metrics=[absolute(k)]), x, r),
        "loss instance": lambda k: fit(regressor(k, loss=k.losses.Huber(0.5)), x, r),
        "loss_weights": lambda k: fit(regressor(k, loss_weights=0.5), x, r),
        "accuracy sparse": lambda k: fit(classifier(k), x, c),
        "acc column": lambda k: fit(classifier(k, metrics=["acc"]), x, c[:, None]),
        "crossentropy": lambda k: fit(
            classifier(k, loss="crossentropy", metrics=["accuracy"]), x, np.eye(3)[c]
        ),
        "float64 data": lambda k: fit(classifier(k), x.astype("float64"), c.astype("float64")),
        "class_weight": lambda k: fit(
            classifier(k, weighted_metrics=["accuracy"]), x, c, class_weight={0: 2.0, 2: 0.5}
        ),
        "sample_weight": lambda k: fit(classifier(k, weighted_metrics=["accuracy"]), x, c, sample_weight=w),
        "validation_split": lambda k: fit(classifier(k), x, c, validation_split=0.3),
        "validation_data": lambda k: fit(classifier(k), x, c, validation_data=(x[:5], c[:5], w[:5])),
        "validation_freq": lambda k: fit(
            classifier(k), x, c, validation_data=(x, c), validation_freq=2, epochs=4
        ),
        "validation_freq list": lambda k: fit(
            classifier(k), x, c, validation_split=0.2, validation_freq=[1, 3], epochs=3
        ),
        "validation_steps": lambda k: fit(
            classifier(k), x, c, validation_data=(x, c), validation_steps=1, validation_batch_size=4
        ),
        "initial_epoch": lambda k: fit(classifier(k), x, c, initial_epoch=2, epochs=5),
        "steps_per_epoch": lambda k: fit(regressor(k), x, r, steps_per_epoch=2, epochs=3),
        "steps without batch size": lambda k: fit(
            regressor(k), x, r, batch_size=None, steps_per_epoch=2, epochs=3
        ),
        "steps_per_execution": lambda k: fit(regressor(k, steps_per_execution=2), x, r),
        "generator": lambda k: fit(regressor(k, metrics=["mae"]), batches(), batch_size=None, epochs=1),
        "generator steps": lambda k: fit(
            regressor(k), batches(), batch_size=None, steps_per_epoch=1, epochs=2
        ),
        "pydataset": lambda k: fit(classifier(k), dataset(k), batch_size=None),
        "heads list": lambda k: fit(two_heads(k, **heads, metrics=[["mae"], ["accuracy"]]), x, [r, c]),
        "heads weights": lambda k: fit(two_heads(k, **heads, loss_weights=[0.3, 2.0]), x, [r, c]),
        "heads dict": lambda k: fit(
            two_heads(k, loss=LOSSES, metrics={"b": ["accuracy"]}), x, {"a": r, "b": c}
        ),
        "heads dict out": lambda k: fit(
            two_heads(k, True, loss=LOSSES, metrics={"b": "accuracy"}), x, {"a": r, "b": c}
        ),
        "heads one loss": lambda k: fit(two_heads(k, loss="mse"), x, [r, np.eye(3)[c]]),
        "heads without": lambda k: fit(two_heads(k, loss=["mse", None]), x, [r, c]),
        "heads weighted": lambda k: fit(
            two_heads(k, **heads, weighted_metrics=[["mae"], ["accuracy"]]),
            x,
            [r, c],
            sample_weight=[w, w[::-1]],
        ),
        "heads weighted once": lambda k: fit(two_heads(k, **heads), x, [r, c], sample_weight=w),
        "evaluate": lambda k: evaluated(classifier(k), x, c, sample_weight=w),
        "evaluate one": lambda k: evaluated(regressor(k), x, r),
        "evaluate dict": lambda k: evaluated(classifier(k), x, c, return_dict=True),
        "evaluate steps": lambda k: evaluated(classifier(k), x, c, steps=2),
        "evaluate heads": lambda k: evaluated(
            two_heads(k, **heads, metrics=[["mae"], ["accuracy"]]), x, [r, c]
        ),
        "train_on_batch": lambda k: [
            classifier(k).train_on_batch(x, c, w),
            regressor(k).train_on_batch(x, r),
        ],
        "train_on_batch dict": lambda k: classifier(k).train_on_batch(
            x, c, class_weight={1: 3.0}, return_dict=True
        ),
        "test_on_batch": lambda k: classifier(k, weighted_metrics=["acc"]).test_on_batch(x, c, w),
        "metrics_names": lambda k: classifier(k).metrics_names,
        "params": lambda k: classifier(k).fit(x, c, verbose=0, epochs=3, batch_size=8).params,
        "epoch": lambda k: classifier(k).fit(x, c, verbose=0, epochs=3, initial_epoch=1).epoch,
    }


def tagger(keras: Any, **settings: Any) -> Any:
    """A class for each step of a sequence in which 0 is no word."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(4, 3, mask_zero=True),
            layers.Dense(3, activation="softmax"),
        ]
    )
    settings = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **settings}
    reset(model).compile(optimizer=keras.optimizers.SGD(0.1), **settings)
    return model


def sequences() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Words (0: none), tags and weights of N sequences of 5 steps."""
    rng = np.random.default_rng(6)
    words = rng.integers(0, 4, (N, 5)).astype("int32")
    return words, rng.integers(0, 3, (N, 5)), rng.random((N, 5)).astype("float32")


def absolute(keras: Any) -> Callable[..., Any]:
    def my_metric(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.abs(y_true - y_pred)

    return my_metric
