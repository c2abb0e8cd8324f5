"""Trainings that processes are killed in: `python -m tests.training.resuming KIND FOLDER SAVE_FREQ` prints
what came out.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

import kcompile as keras
from kcompile import layers

SAMPLES, FEATURES, SIZE, EPOCHS = 44, 6, 8, 4


def numbers() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(SAMPLES, FEATURES)).astype("float32")
    return x, (x.sum(1) > 0).astype("int64")


def network(kind: str = "arrays") -> Any:
    """Batch normalization, dropout with and without a seed, regularization, a metric of many counts.

    kind: "half" for float16 with a scaled loss, whose scale overflows at first and grows every two steps;
    "executions" for three steps at a time.
    """
    policy = "mixed_float16" if kind == "half" else "float32"
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Dense(8, activation="relu", kernel_regularizer="l2", dtype=policy),
            layers.BatchNormalization(momentum=0.8, dtype=policy),
            layers.Dropout(0.3, dtype=policy),
            layers.GaussianNoise(0.1, seed=3, dtype=policy),
            layers.Dense(2, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(0.05, use_ema=True, ema_overwrite_frequency=9)
    if kind == "half":
        optimizer = keras.optimizers.LossScaleOptimizer(
            optimizer, initial_scale=2.0**20, dynamic_growth_steps=2
        )
    steps = 3 if kind == "executions" else 1
    model.compile(
        optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=steps
    )
    return model


class Rivals(keras.Model):
    """Two networks with an optimizer each, as in a GAN: the optimizer of `compile` is used by nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = keras.Sequential(
            [keras.Input((3,)), layers.BatchNormalization(), layers.Dense(FEATURES)]
        )
        self.judge = keras.Sequential([keras.Input((FEATURES,)), layers.Dropout(0.3), layers.Dense(1)])
        self.first, self.second = keras.optimizers.Adam(0.05), keras.optimizers.SGD(0.05, momentum=0.9)
        self.noise, self.tracker = keras.random.SeedGenerator(5), keras.metrics.Mean(name="loss")

    def call(self, x: Any) -> Any:
        return self.judge(x)

    def _update(self, optimizer: Any, network: Any, x: Any) -> Any:
        with keras.GradientTape() as tape:
            made = self.maker(keras.random.normal((SIZE, 3), seed=self.noise), training=True)
            loss = keras.ops.mean(keras.ops.softplus(self.judge(made, training=True)))
            loss = loss - keras.ops.mean(self.judge(x, training=True))
        weights = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    def train_step(self, data: Any) -> dict[str, Any]:
        self.tracker.update_state(self._update(self.first, self.judge, data[0]))
        self._update(self.second, self.maker, data[0])
        return {"loss": self.tracker.result()}


def generator(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Without end; what it draws comes from NumPy's and Python's own generators."""
    while True:
        rows = np.random.permutation(SAMPLES)[:SIZE]
        yield x[rows] + np.random.normal() + random.gauss(0, 0.1), y[rows]


class Dataset(keras.utils.PyDataset):
    """Mixes its samples after each epoch, and never begins anew."""

    def __init__(self, x: np.ndarray, y: np.ndarray):
        super().__init__()
        self.x, self.y, self.order = x, y, np.arange(SAMPLES)

    def __len__(self) -> int:
        return SAMPLES // SIZE

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.order[index * SIZE : (index + 1) * SIZE]
        return self.x[rows] + np.random.normal(size=FEATURES), self.y[rows]

    def on_epoch_end(self) -> None:
        np.random.shuffle(self.order)


class Prepared(Dataset):
    """Batches that workers prepare: each draws from a generator of its own, by the place in the order."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.order[index * SIZE : (index + 1) * SIZE]
        return self.x[rows] + np.random.default_rng(rows).normal(size=FEATURES), self.y[rows]


class Rate(keras.callbacks.Callback):
    """Sets the rate at the beginning of each epoch to something that depends on the rate before."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        rate = float(self.model.optimizer.learning_rate)
        self.model.optimizer.learning_rate = rate * 0.9


def fit(kind: str, *callbacks: Any, **settings: Any) -> Any:
    """The trained model.

    kind: arrays, stretches (epochs end inside of a pass), generator, dataset, workers (threads), processes,
    executions, half or rivals.
    """
    keras.utils.clear_session()  # names begin anew, as in a process of its own
    keras.utils.set_random_seed(17)
    x, y = numbers()
    model = network(kind)
    if kind == "rivals":
        model = Rivals()
        model(x)
        model.compile()
    how: dict[str, Any] = {"epochs": EPOCHS, "verbose": 0, "callbacks": [*callbacks, Rate()], **settings}
    how["callbacks"].append(keras.callbacks.ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=0.2))
    if kind in ("arrays", "executions", "half"):
        model.fit(x, y, batch_size=SIZE, validation_split=0.2, **how)
    elif kind == "stretches":
        how |= {"validation_data": generator(x, y), "validation_steps": 3}
        model.fit(x, y, batch_size=SIZE, steps_per_epoch=4, **how)
    elif kind == "generator":
        model.fit(generator(x, y), steps_per_epoch=4, **how)
    elif kind == "rivals":
        model.fit(Dataset(x, y), **how)
    elif kind in ("workers", "processes"):
        training, test = Prepared(x, y), Prepared(x, y)
        for dataset in (training, test):
            dataset.workers, dataset.use_multiprocessing = 2, kind == "processes"
        model.fit(training, validation_data=test, **how)
    else:
        model.fit(Dataset(x, y), validation_data=Dataset(x, y), **how)
    return model


def digest(model: Any) -> str:
    """All bits of weights, optimizers, seeds and metrics, what comes from the random generators next; last
    logs.
    """
    found = hashlib.sha256()
    optimizers = [model.optimizer, *(v for v in vars(model).values() if isinstance(v, keras.Optimizer))]
    slots = [variable for optimizer in optimizers for variable in optimizer.variables]
    for variable in [*model.variables, *slots, *model.metrics_variables]:
        found.update(variable.numpy().tobytes())
    last = {name: values[-1:] for name, values in model.history.history.items()}
    return f"{found.hexdigest()} {np.random.random()} {random.random()} {last}"


def same(found: str | None, expected: str) -> bool:
    """Is it the same training? One that was killed after its last epoch has no logs when it goes on."""
    return found is not None and found in (expected, expected[: expected.index("{")] + "{}")


def backup(folder: str, save_freq: str) -> Any:
    freq = save_freq if save_freq == "epoch" else int(save_freq)
    return keras.callbacks.BackupAndRestore(folder, save_freq=freq)


if __name__ == "__main__":
    print(digest(fit(sys.argv[1], backup(*sys.argv[2:]))))
