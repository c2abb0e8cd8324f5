"""The base of callbacks that watch whether a metric gets better."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from kcompile.callbacks.callback import Callback


class MonitorCallback(Callback):
    """Watches `monitor`, a name in the logs of an epoch.

    Args:    mode: "min", "max", or "auto", which asks the metric for its direction. baseline: the best so
             far. min_delta: smaller changes are no improvement.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: str = "auto",
        baseline: float | None = None,
        min_delta: float = 0,
    ):
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode.", stacklevel=3
            )
            mode = "auto"
        self.monitor, self.mode = monitor, mode
        self.best: Any = baseline
        self.min_delta = abs(min_delta)
        self.monitor_op: Callable[[Any, Any], bool] | None = None

    def _set_monitor_op(self) -> None:
        """Decide what better means.

        Raises:  ValueError in mode "auto" for a metric that does not say it.
        """
        direction = {"min": "down", "max": "up"}.get(self.mode) or self._direction()
        if direction is None:
            raise ValueError(
                f"{type(self).__name__} callback received monitor={self.monitor}, but it is not known "
                "whether that "
                "metric should be maximized or minimized. Pass `mode='max'` in order to monitor based on "
                "the highest "
                "metric value, or pass `mode='min'` in order to use the lowest value."
            )
        self.monitor_op = operator.gt if direction == "up" else operator.lt
        if direction == "down":
            self.min_delta = -abs(self.min_delta)

    def _direction(self) -> str | None:
        name = self.monitor.removeprefix("val_")
        found = "down" if name == "loss" else None
        for metric in _metrics_of(self.model):
            if metric.name == name and getattr(metric, "_direction", None):
                found = metric._direction
        return found

    def _is_improvement(self, monitor_value: Any, reference_value: Any) -> bool:
        if reference_value is None:
            return True
        assert self.monitor_op is not None
        return bool(self.monitor_op(monitor_value - self.min_delta, reference_value))

    def _monitored(self, logs: dict[str, Any] | None, what: str) -> Any:
        """The watched value; None, with a warning, if the logs lack it."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"{what} conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs or {})}",
                stacklevel=3,
            )
        return value


def _metrics_of(model: Any) -> Iterator[Any]:
    """The metrics given to `compile`, out of the groups that hold them."""
    for metric in getattr(model, "metrics", ()):
        yield from getattr(metric, "metrics", ())
