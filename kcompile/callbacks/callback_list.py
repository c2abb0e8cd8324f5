"""All callbacks of a run as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kcompile.callbacks.callback import Callback, watches_batches
from kcompile.callbacks.history import History
from kcompile.callbacks.progbar_logger import ProgbarLogger
from kcompile.core import tree


class CallbackList(Callback):
    """Calls each callback in order; logs become Python floats, in the order of their names.

    Args:    add_history, add_progbar: append what is not there. params: "verbose", "epochs", "steps" and
             more.
    """

    def __init__(
        self,
        callbacks: Sequence[Any] | Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ):
        super().__init__()
        self.callbacks: list[Any] = tree.flatten(callbacks) if callbacks else []
        for one in self.callbacks:
            if not hasattr(one, "set_model"):
                raise ValueError(f"`callbacks` must be Callback objects. Received: {one!r}")
        self._history = next((c for c in self.callbacks if isinstance(c, History)), None)
        if self._history is None and add_history:
            self._history = History()
            self.callbacks.append(self._history)
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        self.set_model(model)
        self.set_params(params)

    def set_model(self, model: Any) -> None:
        if not model:
            return
        super().set_model(model)
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks if params else ():
            callback.set_params(params)

    def watchers(self, phase: str) -> tuple[bool, bool]:
        """For "train", "test" or "predict": does anyone look at batches, and does anyone need each of
        them?"""
        watching = [c for c in self.callbacks if watches_batches(c, phase)]
        return bool(watching), any(getattr(c, "every_batch", True) for c in watching)


def _dispatch(name: str) -> Callable[..., None]:
    """The method `name` of the list: that of each callback, called with the same numbers and Python
    floats."""

    def call(callbacks: list[Any], position: tuple[int, ...], logs: dict[str, Any] | None) -> None:
        shared = pythonify_logs(logs)
        if name.endswith("_end"):
            callbacks = sorted(callbacks, key=lambda callback: getattr(callback, "_ends_last", False))
        for callback in callbacks:
            if "batch" in name:
                getattr(callback, name)(*position, logs=shared)
            else:  # as Keras does: a hook may name the argument as it likes
                getattr(callback, name)(*position, shared)

    def of_batches(self: CallbackList, batch: int, logs: dict[str, Any] | None = None) -> None:
        call(self.callbacks, (batch,), logs)

    def of_epochs(self: CallbackList, epoch: int, logs: dict[str, Any] | None = None) -> None:
        call(self.callbacks, (epoch,), logs)

    def of_runs(self: CallbackList, logs: dict[str, Any] | None = None) -> None:
        call(self.callbacks, (), logs)

    return of_batches if "batch" in name else of_epochs if "epoch" in name else of_runs


for _name in (name for name in vars(Callback) if name.startswith("on_")):
    setattr(CallbackList, _name, _dispatch(_name))


def pythonify_logs(logs: dict[str, Any] | None) -> dict[str, Any]:
    """Logs sorted by name, nested ones unfolded, numbers as Python floats.

    >>> import numpy as np
    >>> pythonify_logs({"loss": np.float32(0.5), "accuracy": 1})
    {'accuracy': 1.0, 'loss': 0.5}
    """
    result: dict[str, Any] = {}
    for name, value in sorted((logs or {}).items()):
        if isinstance(value, dict):
            result.update(pythonify_logs(value))
            continue
        try:
            result[name] = float(value)
        except (TypeError, ValueError):
            result[name] = value
    return result
