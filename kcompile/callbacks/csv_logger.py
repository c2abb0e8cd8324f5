"""Writes the metrics of each epoch into a file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import IO, Any

import numpy as np

from kcompile.callbacks.callback import Callback


class CSVLogger(Callback):
    """One line per epoch: epoch, then the metrics by name; NA where one is missing.

    Args:    append: continue an existing file.
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False):
        super().__init__()
        self.filename, self.sep, self.append = os.fspath(filename), separator, append
        self.csv_file: IO[str] | None = None
        self.writer: Any = None
        self.keys: list[str] | None = None
        self.append_header = True

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._close()
        if self.append and os.path.exists(self.filename):
            self.append_header = os.path.getsize(self.filename) == 0
        mode = "a" if self.append else "w"
        self.csv_file = open(self.filename, mode, newline="")  # noqa: SIM115  # on_train_end closes it
        self.writer = self.keys = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        assert self.csv_file is not None
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):  # a validation may come in later epochs
                self.keys += [f"val_{key}" for key in self.keys]
        if self.writer is None:
            import csv

            self.writer = csv.DictWriter(self.csv_file, ["epoch", *self.keys], delimiter=self.sep)
            if self.append_header:
                self.writer.writeheader()
        self.writer.writerow({"epoch": epoch} | {key: _cell(logs.get(key, "NA")) for key in self.keys})
        self.csv_file.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._close()
        self.writer = None

    def _close(self) -> None:
        if self.csv_file is not None and not self.csv_file.closed:
            self.csv_file.close()


def _cell(value: Any) -> Any:
    """A value as one cell; several numbers as a quoted list."""
    if (
        isinstance(value, str)
        or not isinstance(value, Iterable)
        or (isinstance(value, np.ndarray) and not value.ndim)
    ):
        return value
    return f'"[{", ".join(map(str, value))}]"'
