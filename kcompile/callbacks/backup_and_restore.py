"""Goes on with a training that was interrupted."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

from kcompile.callbacks.callback import Callback


class BackupAndRestore(Callback):
    """Keeps weights and optimizer in `backup_dir`; `fit` in a new process begins where the last one stopped.

    Args:    save_freq: "epoch", or an int: every so many batches too. double_checkpoint: keep the backup
             before the last one too, for a damaged file. delete_checkpoint: remove the folder when training
             has ended.
    Raises:  ValueError for an empty backup_dir or another save_freq, and for a model that is not built.
    """

    def __init__(
        self,
        backup_dir: Any,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ):
        super().__init__()
        if not backup_dir:
            raise ValueError("Empty `backup_dir` argument passed")
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise ValueError(
                f"Invalid value for argument `save_freq`. Received: save_freq={save_freq}. Expected either "
                "'epoch' or an integer value."
            )
        self.backup_dir, self.save_freq = os.fspath(backup_dir), save_freq
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self.every_batch = save_freq != "epoch"
        self._weights = os.path.join(self.backup_dir, "latest.weights.h5")
        self._metadata = os.path.join(self.backup_dir, "training_metadata.json")
        self._epoch = self._batch = self._batches = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if not self.model.built:
            raise ValueError(
                "To use the BackupAndRestore callback, your model must be built before you call `fit()`. "
                "Model "
                f"{self.model} is unbuilt. You can build it beforehand by calling it on a batch of data."
            )
        try:
            self._restore(self._weights, self._metadata)
        except (OSError, ValueError):  # damaged, or half written by another program
            if not os.path.exists(_previous(self._weights)):
                raise
            self._restore(_previous(self._weights), _previous(self._metadata))

    def _restore(self, weights: str, metadata: str) -> None:
        if os.path.exists(weights):
            optimizer = self.model.optimizer
            if optimizer is not None and not optimizer.built:
                optimizer.build(self.model.trainable_variables)
            self.model.load_weights(weights)
        if os.path.exists(metadata):
            with open(metadata) as file:
                self.model._initial_epoch = json.load(file)["epoch"]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch, self._batch = epoch + 1, 0
        if self.save_freq == "epoch":
            self._save()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.save_freq == "epoch":
            return
        self._batches += batch + 1 if batch <= self._batch else batch - self._batch
        self._batch = batch
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save()

    def _save(self) -> None:
        os.makedirs(self.backup_dir, exist_ok=True)
        for path in (self._weights, self._metadata):
            if self.double_checkpoint and os.path.exists(path):
                shutil.copy2(path, _previous(path))
        self.model.save_weights(self._weights, overwrite=True)
        part = f"{self._metadata}.part"
        with open(part, "w") as file:
            json.dump({"epoch": self._epoch, "batch": self._batch}, file)
        os.replace(part, self._metadata)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.model._initial_epoch = None
        if self.delete_checkpoint and os.path.exists(self.backup_dir):
            shutil.rmtree(self.backup_dir)


def _previous(path: str) -> str:
    """Where the backup before this one lies. The ending stays, because it says what the file is."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f"previous.{name}")
