"""Saves the model, or its weights, while it trains."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from kcompile.callbacks.monitor import MonitorCallback
from kcompile.core.console import print_msg

DIRECTORY = (
    "Please specify a non-directory filepath for ModelCheckpoint. Filepath used is an existing directory: "
)


class ModelCheckpoint(MonitorCallback):
    """Saves after each epoch, or after every `save_freq` batches.

    Args:    filepath: may name {epoch}, {batch} and metrics, as "w-{epoch:02d}-{val_loss:.2f}.keras"; ends in
             ".keras" (or ".h5"), or in ".weights.h5" with save_weights_only. save_best_only: only if
             `monitor` is better than ever, or than initial_value_threshold.
    Raises:  ValueError for another ending or save_freq; KeyError for an unknown name in filepath.
    """

    _kept = ("best", "_batches", "_last_batch")

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode, initial_value_threshold)
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only, self.save_freq = (
            save_best_only,
            save_weights_only,
            save_freq,
        )
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise ValueError(
                f"Unrecognized save_freq: {save_freq}. Expected save_freq are 'epoch' or integer values"
            )
        _check_ending(self.filepath, save_weights_only)
        self.every_batch = save_freq != "epoch"
        self._current_epoch = 0
        self._batches = 0  # since the last time it was saved
        self._last_batch: int | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._current_epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.save_freq == "epoch":
            return
        begins_anew = self._last_batch is None or batch <= self._last_batch
        self._batches += batch + 1 if begins_anew else batch - (self._last_batch or 0)
        self._last_batch = batch
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save_model(self._current_epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.monitor_op is None:
            self._set_monitor_op()
        if self.save_freq == "epoch":
            self._save_model(epoch, None, logs)

    def _save_model(self, epoch: int, batch: int | None, logs: dict[str, Any] | None) -> None:
        filepath = self._path(epoch, batch, logs or {})
        if not self._should_save(epoch, logs or {}, filepath):
            return
        try:
            os.makedirs(os.path.dirname(filepath) or ".", exist_ok=True)
            if self.save_weights_only:
                self.model.save_weights(filepath, overwrite=True)
            else:
                self.model.save(filepath, overwrite=True)
        except IsADirectoryError:
            raise OSError(DIRECTORY + filepath) from None
        if self.verbose > 0:
            print_msg(f"\nEpoch {epoch + 1}: finished saving model to {filepath}")

    def _should_save(self, epoch: int, logs: dict[str, Any], filepath: str) -> bool:
        start = f"\nEpoch {epoch + 1}:"
        if not self.save_best_only:
            self._say(f"{start} saving model to {filepath}")
            return True
        current = logs.get(self.monitor)
        if current is None or np.ndim(current) > 0:
            warnings.warn(
                f"Can save best model only with {self.monitor} available as a scalar value.", stacklevel=5
            )
            return True
        if self.monitor_op is None:
            self._set_monitor_op()
        best = "None" if self.best is None else f"{self.best:.5f}"
        if not self._is_improvement(current, self.best):
            self._say(f"{start} {self.monitor} did not improve from {best}")
            return False
        self._say(f"{start} {self.monitor} improved from {best} to {current:.5f}, saving model to {filepath}")
        self.best = current
        return True

    def _say(self, text: str) -> None:
        if self.verbose > 0:
            print_msg(text)

    def _path(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> str:
        names = {"epoch": epoch + 1, **logs}
        if batch is not None:
            names.setdefault("batch", batch + 1)
        try:
            return self.filepath.format(**names)
        except KeyError as error:
            raise KeyError(
                f'Failed to format this callback filepath: "{self.filepath}". Reason: {error}'
            ) from None


def _check_ending(filepath: str, weights_only: bool) -> None:
    if weights_only and not filepath.endswith(".weights.h5"):
        raise ValueError(
            "When using `save_weights_only=True` in `ModelCheckpoint`, the filepath provided must end in "
            f"`.weights.h5` (Keras weights format). Received: filepath={filepath}"
        )
    if not weights_only and not filepath.endswith((".keras", ".h5")):
        raise ValueError(
            f"The filepath provided must end in `.keras` (Keras model format). Received: filepath={filepath}"
        )
