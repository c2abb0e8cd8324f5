"""Callbacks that set the optimizer's learning rate between epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.callbacks.callback import Callback
from kcompile.callbacks.monitor import MonitorCallback
from kcompile.core.console import print_msg


def _parts(optimizer: Any) -> list[tuple[str, Any]]:
    """The optimizers that have rates, by name: those inside of one, else itself, without a name."""
    inner = getattr(optimizer, "optimizers", None)
    return [("", optimizer)] if inner is None else [(part.name, part) for part in inner]


def _log_rates(optimizer: Any, logs: dict[str, Any]) -> None:
    for name, part in _parts(optimizer):
        logs[f"learning_rate_{name}" if name else "learning_rate"] = float(part.learning_rate)


class LearningRateScheduler(Callback):
    """Sets the rate at the beginning of each epoch to schedule(epoch, rate) or schedule(epoch).

    Raises:  ValueError if the schedule returns no float.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for name, optimizer in _parts(self.model.optimizer):
            if not hasattr(optimizer, "learning_rate"):
                raise ValueError('Optimizer must have a "learning_rate" attribute.')
            try:
                rate = self.schedule(epoch, float(optimizer.learning_rate))
            except TypeError:  # a schedule of the epoch alone
                rate = self.schedule(epoch)
            if not isinstance(rate, (float, np.float32, np.float64)):
                raise ValueError(f"The output of the `schedule` function should be a float. Got: {rate}")
            optimizer.learning_rate = rate
            if self.verbose > 0:
                of = f"{name} " if name else ""
                print_msg(f"\nEpoch {epoch + 1}: LearningRateScheduler setting {of}learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            _log_rates(self.model.optimizer, logs)


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the rate by `factor` after `patience` epochs without improvement.

    Args:    cooldown: epochs after a reduction that do not count. min_lr: the rate does not fall below.
    Raises:  ValueError if factor >= 1.
    """

    _kept = ("best", "cooldown_counter", "wait")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **_: Any,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau does not support a factor >= 1.0. Received factor={factor}")
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.cooldown_counter = self.wait = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.best = None
        self.cooldown_counter = self.wait = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.monitor_op is None:
            self._set_monitor_op()
        logs = {} if logs is None else logs
        _log_rates(self.model.optimizer, logs)
        current = self._monitored(logs, "Learning rate reduction is")
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best, self.wait = current, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce_all(epoch):
                self.cooldown_counter, self.wait = self.cooldown, 0

    def _reduce_all(self, epoch: int) -> bool:
        """Reduce the rate of each optimizer; False if all are at their minimum already."""
        reduced = [self._reduce(optimizer, name, epoch) for name, optimizer in _parts(self.model.optimizer)]
        return any(reduced)

    def _reduce(self, optimizer: Any, name: str, epoch: int) -> bool:
        """Reduce the rate; False if it is at its minimum already."""
        rate = float(optimizer.learning_rate)
        if rate <= np.float32(self.min_lr):
            return False
        rate = max(rate * self.factor, self.min_lr)
        optimizer.learning_rate = rate
        if self.verbose > 0:
            of = f"{name} " if name else ""
            print_msg(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing {of}learning rate to {rate}.")
        return True

    def in_cooldown(self) -> bool:
        return self.cooldown_counter > 0
