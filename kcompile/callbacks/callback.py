"""The base of callbacks, and which of them look at single batches."""

from __future__ import annotations

from typing import Any

from kcompile.trace.operation import default, is_default

BATCH_METHODS = {
    "train": ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class Callback:
    """Methods that `fit`, `evaluate` and `predict` call; override those of interest.

    `self.model` is the model, `self.params` a dict with "verbose", "epochs" and "steps". A callback that
    overrides a method of batches is called at each batch; one that sets `every_batch = False` is content to
    be called several times a second, after as many batches as have been done by then.
    """

    every_batch = True
    _ends_last = False  # is it called after all others when a batch, an epoch or a run has ended?
    _kept: tuple[
        str, ...
    ] = ()  # attributes (numbers, lists of arrays) that an interrupted training needs again

    def __init__(self) -> None:
        self.params: dict[str, Any] | None = None
        self._model: Any = None

    @property
    def model(self) -> Any:
        return self._model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self._model = model

    @default
    def on_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Another name for `on_train_batch_begin`."""

    @default
    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Another name for `on_train_batch_end`."""

    @default
    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """An epoch of training begins."""

    @default
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """An epoch has ended; logs: its metrics, those of the validation with "val_" before their names."""

    @default
    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A training step begins."""
        self.on_batch_begin(batch, logs=logs)

    @default
    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A training step has ended; logs: the metrics of the epoch so far."""
        self.on_batch_end(batch, logs=logs)

    @default
    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A batch of an evaluation begins."""

    @default
    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A batch of an evaluation has ended; logs: the metrics so far."""

    @default
    def on_predict_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A batch of a prediction begins."""

    @default
    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A batch of a prediction has ended; logs: {"outputs": the batch's}."""

    @default
    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """`fit` begins."""

    @default
    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """`fit` has ended; logs: those of the last epoch."""

    @default
    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """An evaluation begins, alone or in `fit`."""

    @default
    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """An evaluation has ended; logs: its metrics."""

    @default
    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """`predict` begins."""

    @default
    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """`predict` has ended."""


def watches_batches(callback: Any, phase: str) -> bool:
    """Does a callback do anything at batches of "train", "test" or "predict"?"""
    return not all(is_default(getattr(callback, name)) for name in BATCH_METHODS[phase])
