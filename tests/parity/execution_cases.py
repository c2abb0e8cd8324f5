"""Data that ends inside of an execution of several steps, for real Keras and for kcompile.

Every function takes the library as an argument. Noted are the hooks of batches and epochs, and their logs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_rng = np.random.default_rng(1)
X = _rng.normal(size=(32, 3)).astype("float32")
Y = X.sum(1, keepdims=True)
RAN_OUT = "Your input ran out of data"


def model(keras: Any, unit: int) -> Any:
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    made.set_weights([np.full((3, 1), 0.1), np.zeros(1)])
    made.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"], steps_per_execution=unit)
    return made


def batches(count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for k in range(count):
        yield X[4 * k % 32 : 4 * k % 32 + 4], Y[4 * k % 32 : 4 * k % 32 + 4]


class Restarting:
    """An object that iterates anew in every pass, and does not know its length."""

    def __init__(self, count: int):
        self.count = count

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return batches(self.count)


def dataset(keras: Any, count: int) -> Any:
    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return count

        def __getitem__(self, k: int) -> tuple[np.ndarray, np.ndarray]:
            return X[4 * k : 4 * k + 4], Y[4 * k : 4 * k + 4]

    return Batches()


def recorder(keras: Any, seen: list[list[Any]], stop: int | None = None) -> Any:
    """Notes the hooks in `seen`; stop: the batch at whose end it stops whatever runs."""

    class Recorder(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            seen.append(["epoch", epoch])

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append(["epoch end", epoch, {key: float(value) for key, value in logs.items()}])

    def begin(phase: str) -> Callable[..., None]:
        return lambda self, batch, logs=None: seen.append([f"{phase} begins", batch])

    def end(phase: str, flag: str) -> Callable[..., None]:
        def hook(self: Any, batch: int, logs: Any = None) -> None:
            told = {key: float(np.sum(np.asarray(value))) for key, value in logs.items()}
            seen.append([f"{phase} ends", batch, told])
            if batch == stop:
                setattr(self.model, flag, True)

        return hook

    for phase, flag in (("train", "training"), ("test", "evaluating"), ("predict", "predicting")):
        setattr(Recorder, f"on_{phase}_batch_begin", begin(phase))
        setattr(Recorder, f"on_{phase}_batch_end", end(phase, f"stop_{flag}"))
    return Recorder()


def fit(
    keras: Any, unit: int, data: Any, epochs: int, steps: int | None, watched: bool = True, **more: Any
) -> dict[str, Any]:
    """watched: the hooks of batches are noted, too; they must not change anything."""
    made, seen = model(keras, unit), []
    noted = recorder(keras, seen, more.pop("stop", None)) if watched else None
    history = made.fit(
        data, epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=0,
        callbacks=[noted] * watched, **more,
    ).history  # fmt: skip
    weights = [float(w) for v in made.get_weights() for w in v.ravel()]
    return {"seen": seen, "history": history, "weights": weights}


def others(keras: Any, unit: int, data: Callable[[], Any], steps: int | None) -> dict[str, Any]:
    made, seen = model(keras, unit), []
    noted = recorder(keras, seen)
    found = made.evaluate(data(), steps=steps, verbose=0, callbacks=[noted])
    outputs = made.predict(data(), steps=steps, verbose=0, callbacks=[noted])
    return {"seen": seen, "history": {"found": found, "outputs": np.ravel(outputs).tolist()}, "weights": []}


def make_cases() -> dict[str, Callable[[Any], dict[str, Any]]]:
    cases: dict[str, Callable[[Any], dict[str, Any]]] = {}
    for unit in (2, 3, 4):
        for count in (1, 3, 4, 5, 6, 7):
            for steps in (None, 3, 4, 6):
                for watched in (True, False):
                    name = f"{count} batches, executions of {unit}, {steps} steps" + ", unseen" * (
                        not watched
                    )
                    cases[name] = lambda k, u=unit, c=count, s=steps, w=watched: fit(
                        k, u, batches(c), 4, s, w
                    )
            for steps in (None, 3, 5):
                cases[f"others, {count} batches, executions of {unit}, {steps} steps"] = (
                    lambda k, u=unit, c=count, s=steps: others(k, u, lambda: batches(c), s)
                )
        for steps in (None, 3, 5, 9):
            cases[f"dataset, executions of {unit}, {steps} steps"] = lambda k, u=unit, s=steps: fit(
                k, u, dataset(k, 5), 3, s
            )
            cases[f"others, dataset, executions of {unit}, {steps} steps"] = lambda k, u=unit, s=steps: (
                others(k, u, lambda: dataset(k, 5), s)
            )
        cases[f"validated, executions of {unit}"] = lambda k, u=unit: fit(
            k, u, batches(5), 3, None, validation_data=batches(5)
        )
        cases[f"validated in steps, executions of {unit}"] = lambda k, u=unit: fit(
            k, u, batches(7), 3, 3, validation_data=batches(3), validation_steps=2
        )
        cases[f"stopped, executions of {unit}"] = lambda k, u=unit: fit(
            k, u, batches(9), 3, 2 * u, stop=u - 1
        )
    return cases


def run(keras: Any, name: str) -> dict[str, Any]:
    """What came of a case, an error included, with the number of warnings that data ran out."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = make_cases()[name](keras)
        except Exception as error:
            found = {"error": type(error).__name__}
    return {**found, "warned": sum(RAN_OUT in str(w.message) for w in caught)}
