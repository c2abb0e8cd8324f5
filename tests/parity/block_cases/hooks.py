"""Runs whose calls of callbacks are recorded: names of hooks, numbers of epochs and batches, logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

N = 22
HOOKS = [
    *("on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end"),
    *("on_test_batch_begin", "on_test_batch_end", "on_predict_batch_begin", "on_predict_batch_end"),
    *("on_train_begin", "on_train_end", "on_test_begin", "on_test_end", "on_predict_begin", "on_predict_end"),
]
Call = list[Any]  # [hook, number or None, logs or None]


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(61)
    return rng.normal(size=(N, 4)).astype("float32"), rng.normal(size=(N, 1)).astype("float32")


def model_of(keras: Any, **settings: Any) -> Any:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    rng = np.random.default_rng(62)
    model.set_weights([(rng.normal(size=w.shape) * 0.4).astype("float32") for w in model.get_weights()])
    settings = {"optimizer": keras.optimizers.SGD(0.05), "loss": "mse", "metrics": ["mae"], **settings}
    model.compile(**settings)
    return model


def plain(value: Any) -> Any:
    """Logs as JSON: floats as they are, arrays by their shapes."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return float(value) if np.ndim(value) == 0 else ["array", list(np.shape(value))]


def recorder(keras: Any, calls: list[Call], batches: bool = True, name: str = "") -> Any:
    """A callback that notes every call of a hook; without `batches`, of those that are not about batches."""

    class Recorder(keras.callbacks.Callback):
        pass

    def method(hook: str) -> Callable[..., None]:
        numbered = "epoch" in hook or "batch" in hook

        def numbered_hook(self: Any, number: int, logs: Any = None) -> None:
            calls.append(
                [name + hook, number, plain(logs)] if logs is not None else [name + hook, number, None]
            )

        def plain_hook(self: Any, logs: Any = None) -> None:
            calls.append([name + hook, None, None if logs is None else plain(logs)])

        return numbered_hook if numbered else plain_hook

    for hook in HOOKS:
        if batches or "batch" not in hook:
            setattr(Recorder, hook, method(hook))
    return Recorder()


class Batches:
    """A generator of batches, and how often one was asked for."""

    def __init__(self, size: int, count: int | None = None):
        self.size, self.count = size, count

    def __iter__(self) -> Iterator[Any]:
        x, y = data()
        for k in range(self.count if self.count is not None else 10**6):
            rows = np.arange(k * self.size, (k + 1) * self.size) % N
            yield x[rows], y[rows]


def fit(keras: Any, calls: list[Call], *given: Any, compiled: Any = None, **settings: Any) -> Any:
    model = model_of(keras, **(compiled or {}))
    how = {"batch_size": 8, "epochs": 2, "verbose": 0, "shuffle": False, **settings}
    given = given or data()
    callbacks = [*how.pop("callbacks", []), recorder(keras, calls)]
    model.fit(*given, callbacks=callbacks, **how)
    return model


Run = Callable[[Any, list[Call]], Any]


def make_cases() -> dict[str, Run]:
    x, y = data()
    validation = {"validation_data": (x[:9], y[:9])}

    def stopping(hook: str, at: int, attribute: str = "stop_training") -> Callable[[Any], Any]:
        def make(keras: Any) -> Any:
            class Stop(keras.callbacks.Callback):
                pass

            def stop(self: Any, number: int, logs: Any = None) -> None:
                if number >= at:
                    setattr(self.model, attribute, True)

            setattr(Stop, hook, stop)
            return Stop()

        return make

    def writing(keras: Any) -> Any:
        class Write(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                logs["added"] = float(epoch)

        return Write()

    def evaluate(keras: Any, calls: list[Call], **settings: Any) -> None:
        how = {"batch_size": 8, "verbose": 0, **settings}
        model_of(keras).evaluate(x, y, callbacks=[recorder(keras, calls)], **how)

    def predict(keras: Any, calls: list[Call], rows: int = N, **settings: Any) -> None:
        how = {"batch_size": 8, "verbose": 0, **settings}
        model_of(keras).predict(x[:rows], callbacks=[recorder(keras, calls)], **how)

    def on_batch(keras: Any, calls: list[Call]) -> None:
        model = model_of(keras)
        callbacks = [recorder(keras, calls, batches=False)]
        model.fit(x, y, batch_size=8, verbose=0, shuffle=False, callbacks=callbacks)
        model.train_on_batch(x, y)
        model.test_on_batch(x, y)
        model.predict_on_batch(x)

    def two(keras: Any, calls: list[Call]) -> None:
        both = [recorder(keras, calls, name="first "), recorder(keras, calls, name="second ")]
        model_of(keras).fit(x, y, batch_size=16, verbose=0, shuffle=False, callbacks=both, **validation)

    return {
        "fit": fit,
        "one batch": lambda k, c: fit(k, c, batch_size=32),
        "no metrics": lambda k, c: fit(k, c, compiled={"metrics": None}),
        "validation": lambda k, c: fit(k, c, **validation),
        "validation_split": lambda k, c: fit(k, c, validation_split=0.4, epochs=1),
        "validation_freq": lambda k, c: fit(k, c, epochs=4, validation_freq=2, **validation),
        "validation_freq list": lambda k, c: fit(k, c, epochs=3, validation_freq=[1, 3], **validation),
        "validation_steps": lambda k, c: fit(k, c, validation_steps=1, validation_batch_size=4, **validation),
        "initial_epoch": lambda k, c: fit(k, c, initial_epoch=2, epochs=4),
        "no epochs": lambda k, c: fit(k, c, epochs=0),
        "steps_per_epoch": lambda k, c: fit(k, c, steps_per_epoch=2, epochs=3),
        "generator": lambda k, c: fit(k, c, iter(Batches(8, 3)), batch_size=None, epochs=1),
        "generator steps": lambda k, c: fit(
            k, c, iter(Batches(8)), batch_size=None, steps_per_epoch=2, epochs=2, **validation
        ),
        "stop in an epoch": lambda k, c: fit(
            k, c, callbacks=[stopping("on_train_batch_end", 1)(k)], **validation
        ),
        "stop after an epoch": lambda k, c: fit(
            k, c, epochs=4, callbacks=[stopping("on_epoch_end", 1)(k)], **validation
        ),
        "early stopping": lambda k, c: fit(
            k, c, epochs=5, callbacks=[k.callbacks.EarlyStopping("loss", patience=1, min_delta=10.0)]
        ),
        "logs written": lambda k, c: fit(k, c, callbacks=[writing(k)]),
        "learning rate": lambda k, c: fit(
            k, c, callbacks=[k.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))]
        ),
        "plateau": lambda k, c: fit(
            k, c, epochs=4, callbacks=[k.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=10.0)]
        ),
        "lambda": lambda k, c: fit(
            k,
            c,
            epochs=1,
            callbacks=[
                k.callbacks.LambdaCallback(
                    on_epoch_end=lambda epoch, logs: c.append(["lambda", epoch, plain(logs)]),
                    on_train_batch_begin=lambda batch, logs: c.append(["lambda batch", batch, None]),
                )
            ],
        ),
        "two callbacks": two,
        "evaluate": evaluate,
        "evaluate steps": lambda k, c: evaluate(k, c, steps=2),
        "evaluate one batch": lambda k, c: evaluate(k, c, batch_size=32),
        "predict": predict,
        "predict steps": lambda k, c: predict(k, c, steps=2),
        "predict one batch": lambda k, c: predict(k, c, rows=3),
        "single batches": on_batch,
    }
