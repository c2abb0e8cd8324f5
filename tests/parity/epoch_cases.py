"""Epochs over generators and with executions of several steps, for real Keras and for kcompile.

Every function takes the library as an argument.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_rng = np.random.default_rng(0)
X = _rng.normal(size=(20, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
BAD = np.where(np.arange(20)[:, None] == 9, np.nan, Y).astype("float32")


def model(keras: Any, **settings: Any) -> Any:
    made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    made.set_weights([np.full((4, 1), 0.1), np.zeros(1)])
    made.compile(keras.optimizers.SGD(0.01), "mse", **settings)
    return made


def batches(count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """So many batches of four samples."""
    for k in range(count):
        yield X[4 * k % 20 : 4 * k % 20 + 4], Y[4 * k % 20 : 4 * k % 20 + 4]


def dataset(keras: Any) -> Any:
    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 5

        def __getitem__(self, k: int) -> tuple[np.ndarray, np.ndarray]:
            return X[4 * k : 4 * k + 4], Y[4 * k : 4 * k + 4]

    return Batches()


def recorder(keras: Any) -> Any:
    """A callback that notes the numbers of batches, and the losses and lengths of outputs at their ends."""

    class Recorder(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[list[Any]] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.seen.append(["train", batch, float(logs["loss"])])

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            self.seen.append(["test", batch, float(logs["loss"])])

        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            self.seen.append(["predict", batch, float(len(logs["outputs"]))])

    return Recorder()


def fit(keras: Any, unit: int = 1, x: Any = None, **more: Any) -> dict[str, Any]:
    made, note = model(keras, steps_per_execution=unit), recorder(keras)
    how = {"y": Y, "batch_size": 4, "shuffle": False} if x is None else {}
    callbacks = [*more.pop("callbacks", []), note]
    history = made.fit(X if x is None else x, **{**how, **more}, verbose=0, callbacks=callbacks).history
    return {"seen": note.seen, "history": history, "iterations": int(made.optimizer.iterations)}


def validated(keras: Any, data: Any, steps: int | None, **more: Any) -> dict[str, Any]:
    return fit(keras, epochs=3, batch_size=10, validation_data=data, validation_steps=steps, **more)


def others(keras: Any, unit: int) -> dict[str, Any]:
    made, note = model(keras, steps_per_execution=unit), recorder(keras)
    made.evaluate(X, Y, batch_size=4, verbose=0, callbacks=[note])
    made.predict(X, batch_size=4, verbose=0, callbacks=[note])
    return {"seen": note.seen}


def make_cases() -> dict[str, Callable[[Any], dict[str, Any]]]:
    cases: dict[str, Callable[[Any], dict[str, Any]]] = {}
    for unit in (2, 3, 7):
        cases[f"executions of {unit}"] = lambda k, u=unit: fit(k, u)
        cases[f"executions of {unit}, validated"] = lambda k, u=unit: fit(k, u, validation_data=(X, Y))
        cases[f"executions of {unit}, four steps"] = lambda k, u=unit: fit(k, u, steps_per_epoch=4, epochs=2)
        cases[f"executions of {unit}, generator"] = lambda k, u=unit: fit(k, u, batches(5))
        cases[f"executions of {unit}, others"] = lambda k, u=unit: others(k, u)
        cases[f"executions of {unit}, NaN"] = lambda k, u=unit: fit(
            k, u, y=BAD, epochs=2, callbacks=[k.callbacks.TerminateOnNaN()]
        )
    for count, steps in ((9, 1), (9, 2), (12, 3), (3, 2), (3, None)):
        cases[f"validation by {count} batches, {steps}"] = lambda k, c=count, s=steps: validated(
            k, batches(c), s
        )
    cases["validation by a dataset"] = lambda k: validated(k, dataset(k), 2)
    cases["validation by arrays"] = lambda k: validated(k, (X, Y), 2, validation_batch_size=4)
    cases["a generator that ends"] = lambda k: fit(k, 1, batches(6), epochs=3)
    cases["a generator in steps"] = lambda k: fit(k, 1, batches(6), epochs=2, steps_per_epoch=3)
    cases["a generator that ends in steps"] = lambda k: fit(k, 1, batches(5), epochs=3, steps_per_epoch=3)
    cases["two generators"] = lambda k: fit(
        k, 1, batches(6), epochs=2, steps_per_epoch=3, validation_data=batches(4), validation_steps=2
    )
    return cases


def run(keras: Any, name: str) -> dict[str, Any]:
    """What came of a case; running out of data is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_cases()[name](keras)
