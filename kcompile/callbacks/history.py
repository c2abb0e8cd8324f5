"""What `fit` returns: the metrics of each epoch."""

from __future__ import annotations

from typing import Any

from kcompile.callbacks.callback import Callback


class History(Callback):
    """`history`: lists of values per epoch by metric name. `epoch`: the numbers of the epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self
