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


def endless(keras: Any) -> Any:
    class Endless(type(dataset(keras))):  # type: ignore[misc]
        @property
        def num_batches(self) -> None:
            return None

        def __getitem__(self, k: int) -> tuple[np.ndarray, np.ndarray]:
            return super().__getitem__(k % 5)

    return Endless()


def without_gradients(keras: Any, optimizer: Any, stopped: bool, **more: Any) -> dict[str, Any]:
    """A training whose loss depends on no weight."""

    def loss(y: Any, y_pred: Any) -> Any:
        return keras.ops.mean(y + keras.ops.stop_gradient(y_pred) if stopped else y, axis=-1)

    made = model(keras)
    made.compile(optimizer, loss)
    result = float(made.train_on_batch(X[:4], Y[:4]))
    history = made.fit(X, Y, batch_size=4, epochs=2, verbose=0, shuffle=False, **more).history
    sums = [float(np.sum(np.asarray(v))) for v in [*made.weights, *made.optimizer.variables]]
    return {
        "seen": [],
        "history": {**history, "on_batch": [result], "sums": sums},
        "iterations": int(made.optimizer.iterations),
    }


def partly_without(keras: Any) -> dict[str, Any]:
    """Of two outputs one has a loss; the other's weights decay all the same."""
    x = keras.Input((4,))
    outputs = [keras.layers.Dense(1, kernel_initializer="ones", name=name)(x) for name in ("a", "b")]
    made = keras.Model(x, outputs)
    made.compile(keras.optimizers.AdamW(0.1, weight_decay=0.1), ["mse", None])
    history = made.fit(X, [2 * Y, Y], batch_size=4, epochs=2, verbose=0, shuffle=False).history
    sums = [float(np.sum(np.asarray(v))) for v in made.weights]
    return {"seen": [], "history": {**history, "sums": sums}, "iterations": int(made.optimizer.iterations)}


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda k: k.optimizers.SGD(0.1, momentum=0.9, clipnorm=1.0),
    "AdamW": lambda k: k.optimizers.AdamW(0.1, weight_decay=0.1),
    "Adam": lambda k: k.optimizers.Adam(
        0.1, global_clipnorm=1.0, use_ema=True, gradient_accumulation_steps=2
    ),
    "Ftrl": lambda k: k.optimizers.Ftrl(0.1, l1_regularization_strength=0.1),
    "Lion": lambda k: k.optimizers.Lion(0.1, weight_decay=0.1),
    "RMSprop": lambda k: k.optimizers.RMSprop(0.1, centered=True),
    "Adafactor": lambda k: k.optimizers.Adafactor(0.1),
    "LossScaleOptimizer": lambda k: k.optimizers.LossScaleOptimizer(k.optimizers.SGD(0.1)),
}


def shortages() -> dict[str, Callable[[Any], dict[str, Any]]]:
    """Data that ends before the steps do, or nobody knows when, and an order that is not ours to change."""
    cases: dict[str, Callable[[Any], dict[str, Any]]] = {}
    for count, epochs, steps in ((5, 4, 5), (4, 5, 2), (2, 3, None), (1, 3, None), (6, 4, 3), (5, 3, 7)):
        cases[f"{count} batches, {epochs} epochs of {steps}"] = lambda k, c=count, e=epochs, s=steps: fit(
            k, 1, batches(c), epochs=e, steps_per_epoch=s, shuffle=False
        )
    for shuffle in (True, False, "batch"):
        cases[f"generator, shuffle {shuffle}"] = lambda k, s=shuffle: fit(k, 1, batches(5), shuffle=s)
        cases[f"endless, shuffle {shuffle}"] = lambda k, s=shuffle: fit(
            k, 1, endless(k), shuffle=s, steps_per_epoch=2
        )
    for steps in (None, 3, 5, 8):
        cases[f"dataset, {steps} steps"] = lambda k, s=steps: fit(
            k, 1, dataset(k), shuffle=False, steps_per_epoch=s, epochs=2
        )
        cases[f"arrays, {steps} steps"] = lambda k, s=steps: fit(k, 1, steps_per_epoch=s, epochs=2)
        for kind in ("evaluate", "predict"):
            cases[f"{kind} of a generator, {steps} steps"] = lambda k, s=steps, m=kind: looked_at(
                k, m, batches(5), steps=s
            )
            cases[f"{kind} of a dataset, {steps} steps"] = lambda k, s=steps, m=kind: looked_at(
                k, m, dataset(k), steps=s
            )
    return cases


def looked_at(keras: Any, kind: str, data: Any, **more: Any) -> dict[str, Any]:
    note = recorder(keras)
    getattr(model(keras), kind)(data, verbose=0, callbacks=[note], **more)
    return {"seen": note.seen}


def events(keras: Any, *calls: tuple[str, dict[str, Any]], unit: int = 1) -> dict[str, Any]:
    """What data sets and callbacks hear of calls of one model: x and validation_data are numbers of batches,
    negative for data sets without end.
    """
    heard: list[str] = []

    class Told(keras.utils.PyDataset):
        def __init__(self, name: str, count: int):
            super().__init__()
            self.name, self.count = name, count

        @property
        def num_batches(self) -> int | None:
            return self.count if self.count > 0 else None

        def __getitem__(self, k: int) -> tuple[np.ndarray, np.ndarray]:
            heard.append(f"{self.name}[{k}]")
            return X[:4], Y[:4]

        def on_epoch_begin(self) -> None:
            heard.append(f"{self.name} begins")

        def on_epoch_end(self) -> None:
            heard.append(f"{self.name} ends")

    def hook(name: str) -> Any:
        return lambda self, *_, **__: heard.append(name)

    names = [f"on_{p}_{w}" for p in ("train", "test", "predict", "epoch") for w in ("begin", "end")]
    names += [f"on_{p}_batch_{w}" for p in ("train", "test", "predict") for w in ("begin", "end")]
    Hooks = type("Hooks", (keras.callbacks.Callback,), {name: hook(name) for name in names})

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training = batch == 1

    made = model(keras, steps_per_execution=unit)
    for method, how in calls:
        how = dict(how)
        callbacks = [Hooks()] + [Stop()] * how.pop("stop", False)
        data = Told("x", how.pop("x"))
        if "validation_data" in how:
            how["validation_data"] = Told("v", how["validation_data"])
        more = {"shuffle": False} if method == "fit" else {}
        getattr(made, method)(data, verbose=0, callbacks=callbacks, **more, **how)
    return {"seen": [], "events": heard}


TOLD: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "fit": [("fit", {"x": 3, "epochs": 2})],
    "validation": [("fit", {"x": 2, "epochs": 3, "validation_data": 2})],
    "rare validation": [("fit", {"x": 2, "epochs": 3, "validation_data": 2, "validation_freq": 2})],
    "steps": [
        ("fit", {"x": 4, "epochs": 3, "steps_per_epoch": 2, "validation_data": 4, "validation_steps": 2})
    ],
    "steps that do not divide": [("fit", {"x": 4, "epochs": 3, "steps_per_epoch": 3})],
    "without end": [
        ("fit", {"x": -1, "epochs": 2, "steps_per_epoch": 2, "validation_data": -1, "validation_steps": 2})
    ],
    "stopped": [("fit", {"x": 4, "epochs": 3, "validation_data": 2, "stop": True})],
    "evaluate": [("evaluate", {"x": 3}), ("evaluate", {"x": 3, "steps": 2})],
    "predict": [("predict", {"x": 3}), ("predict", {"x": 3, "steps": 2})],
    "again": [("fit", {"x": 2, "validation_data": 1})] * 2 + [("evaluate", {"x": 1}), ("predict", {"x": 1})],
}


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
    for name, optimizer in OPTIMIZERS.items():
        for stopped in (False, True):
            cases[f"no gradients, {name}{', stopped' * stopped}"] = lambda k, o=optimizer, s=stopped: (
                without_gradients(k, o(k), s)
            )
    cases["no gradients of one output"] = partly_without
    for name, calls in TOLD.items():
        cases[f"told, {name}"] = lambda k, c=calls: events(k, *c)
    cases["told, executions of 2"] = lambda k: events(k, *TOLD["validation"], unit=2)
    return cases | shortages()


NOTED = {"ran out": "Your input ran out of data", "shuffle": "`shuffle=True` was passed, but will be ignored",
         "gradients": "Gradients do not exist"}  # fmt: skip


def run(keras: Any, name: str) -> dict[str, Any]:
    """What came of a case, with the number of warnings of each kind."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = make_cases()[name](keras)
    said = [str(w.message) for w in caught if w.category is UserWarning]
    return {**found, "warned": {kind: sum(text in s for s in said) for kind, text in NOTED.items()}}
