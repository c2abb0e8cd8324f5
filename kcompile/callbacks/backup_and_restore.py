"""Goes on with a training that was interrupted."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from typing import Any

from kcompile.callbacks.callback import Callback
from kcompile.core.files import replacing


class BackupAndRestore(Callback):
    """Keeps a training in `backup_dir`; `fit` in a new process goes on where the last one was interrupted.

    A program that is started again, at whatever moment it was killed, ends with the same bits as one that ran
    through: besides weights and optimizer the backup holds metrics, seeds, the order of the samples and
    the place in it, the states of `random` and `np.random`, and what EarlyStopping, ReduceLROnPlateau,
    ModelCheckpoint and SwapEMAWeights have counted. For that the program must do the same until `fit`
    (`keras.utils.set_random_seed`). Batches of a generator that come before the place are made again and
    dropped.

    Args:    save_freq: "epoch", or an int: every so many batches, and training goes on in the middle of an
             epoch. double_checkpoint: keep the backup before the last one too, for a damaged file; a warning
             tells that it is used.
             delete_checkpoint: remove the folder when training has ended.
    Raises:  ValueError for an empty backup_dir or another save_freq, for a model that is not built, and for a
             backup whose bytes have changed, where there is none before it.
    """

    _ends_last = True  # what other callbacks do at the end of an epoch is in the backup

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
                f"Model {self.model} is unbuilt. You can build it beforehand by calling it on a batch of "
                "data."
            )
        self._batch = self._batches = 0
        previous = _previous(self._weights)
        if not os.path.exists(self._weights) and not os.path.exists(previous):
            return
        try:
            self._restore(self._weights, self._metadata)
        except (OSError, ValueError) as error:  # damaged, or half written by another program
            if not os.path.exists(previous):
                raise
            self._restore_previous(error)

    def _restore_previous(self, reason: Exception) -> None:
        """Go on from the backup before the last one. It takes the last one's place: the next save would keep
        that, damaged, in its stead.
        """
        try:
            self._restore(_previous(self._weights), _previous(self._metadata))
        except (OSError, ValueError):  # the model fits neither, or both are damaged
            raise reason from None
        for path in (self._weights, self._metadata):
            _copy(_previous(path), path)
        warnings.warn(
            "Training goes on from the backup before the last one, at epoch "
            f"{self.model._initial_epoch or 0}: {reason}",
            stacklevel=2,
        )

    def _restore(self, weights: str, metadata: str) -> None:
        epoch = self.model._load_training(weights)
        if epoch is None and os.path.exists(metadata):  # a backup made by Keras: epochs begin anew
            with open(metadata) as file:
                epoch = json.load(file)["epoch"]
        self.model._initial_epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch, self._batch = epoch + 1, 0
        if self.save_freq == "epoch":
            self._save(between=True)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.save_freq == "epoch":
            return
        self._batches += batch + 1 if batch <= self._batch else batch - self._batch
        self._batch = batch
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save(between=False)

    def _save(self, between: bool) -> None:
        os.makedirs(self.backup_dir, exist_ok=True)
        for path in (self._weights, self._metadata) if self.double_checkpoint else ():
            _copy(path, _previous(path))
        self.model._save_training(self._weights, between)
        with replacing(self._metadata) as file:
            file.write(json.dumps({"epoch": self._epoch, "batch": self._batch}).encode())

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.model._initial_epoch = None
        if self.delete_checkpoint and os.path.exists(self.backup_dir):
            shutil.rmtree(self.backup_dir)


def _copy(path: str, target: str) -> None:
    """Replace a file by a copy of another one, if there is that."""
    if os.path.exists(path):
        with open(path, "rb") as source, replacing(target) as file:
            shutil.copyfileobj(source, file)


def _previous(path: str) -> str:
    """Where the backup before this one lies. The ending stays, because it says what the file is."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f"previous.{name}")
