"""The progress bar, character by character as Keras prints it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from kcompile.core.console import print_msg

BOLD, GREEN, WHITE, PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"
SMALL = 1e-3  # values below are printed with an exponent


class Progbar:
    """One line that grows: `7/32 ━━━━━ 0s 2ms/step - accuracy: 0.9000 - loss: 0.3000`.

    Args:    target: number of steps, None if unknown. width: characters of the bar. verbose: 0 silent, 1 a
             bar, 2 one line at the end. interval: seconds between updates of the line, at least.
             stateful_metrics: names shown as given, all others are averaged over the steps; or
             stateless_metrics: names that are averaged, all others are shown as given.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("Only one of `stateful_metrics` or `stateless_metrics` can be provided.")
        self.target, self.width, self.verbose = target, width, verbose
        self.interval, self.unit_name = interval, unit_name
        # Which names are averaged: those in the set, or all others.
        self._names = set(stateful_metrics or ()) if stateless_metrics is None else set(stateless_metrics)
        self._averages_others = stateless_metrics is None
        self._rewrites = rewrites_lines()
        self._seen = 0
        self._values: dict[str, tuple[Any, int]] = {}  # sum and number of steps
        self._start = time.time()
        self._first_done: float | None = None
        self._last_update = 0.0
        self._last_width = 0

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Step `current` is done, with these values. finalize: it was the last; by default if target is
        reached."""
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        self._take(current, values or (), finalize)
        now = time.time()
        duration = self._step_duration(current, now)
        if self.verbose == 1:
            if now - self._last_update < self.interval and not finalize:
                return
            self._print_bar(current, duration, now, finalize)
        elif self.verbose == 2 and finalize and self.target:
            text = f"{self._count(current)} - {now - self._start:.0f}s -{per_step(duration, self.unit_name)}"
            print_msg(text + self._shown_values(signed=True) + "\n", line_break=False)
        self._last_update = now

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """n more steps are done."""
        self.update(self._seen + n, values)

    def _take(self, current: int, values: Iterable[tuple[str, Any]], finalize: bool) -> None:
        steps = max(current - self._seen, 1)
        for name, value in values:
            averaged = (name in self._names) != self._averages_others
            if averaged and not finalize:
                total, count = self._values.get(name, (0.0, 0))
                self._values[name] = (total + value * steps, count + steps)
            else:
                self._values[name] = (value, 1)
        self._seen = current

    def _step_duration(self, current: int, now: float) -> float:
        """Seconds per step; the first step, which compiles, counts only as long as it is the only one."""
        if not current:
            return 0
        if self._first_done is not None and current > 1:
            return (now - self._first_done) / (current - 1)
        if current == 1:
            self._first_done = now
        return (now - self._start) / current

    def _count(self, current: int) -> str:
        return f"{current:{len(str(self.target))}d}/{self.target}"

    def _print_bar(self, current: int, duration: float, now: float, finalize: bool) -> None:
        text, width = self._bar(current)
        if self.target and not finalize:
            clock = remaining(duration * (self.target - current))
        else:
            clock = f"{now - self._start:.0f}s"
        info = f"{per_step(duration, self.unit_name)}{self._shown_values()}"
        text += f" {BOLD}{clock}{PLAIN}{info}"
        width += 1 + len(clock) + len(info)
        before = "\b" * self._last_width + "\r" if self._rewrites else "\n"
        padding = " " * max(self._last_width - width, 0)
        print_msg(before + text + padding + ("\n" if finalize else ""), line_break=False)
        self._last_width = width

    def _bar(self, current: int) -> tuple[str, int]:
        """Count and bar, and how many characters of it are seen."""
        if not self.target:
            text = f"{current:7d}/Unknown"
            return text, len(text)
        count = self._count(current)
        done = int(self.width * (float(current) / self.target))
        green = f"{GREEN}{'━' * done}{PLAIN}" if done > 0 else ""
        text = f"{BOLD}{count}{PLAIN} {green}{WHITE}{'━' * (self.width - done)}{PLAIN}"
        return text, len(count) + 1 + max(done, 0) + max(self.width - done, 0)

    def _shown_values(self, signed: bool = False) -> str:
        """` - loss: 0.3000`; `signed`: negative values count as small, as in Keras's one-line form."""
        text = ""
        for name, (total, count) in self._values.items():
            mean = (total if isinstance(total, float) else float(np.mean(total))) / max(1, count)
            large = (mean if signed else abs(mean)) > SMALL
            text += f" - {name}: {mean:.4f}" if large else f" - {name}: {mean:.4e}"
        return text


def rewrites_lines() -> bool:
    """Can a line be written over? As Keras decides it: anywhere on POSIX systems, log files included."""
    terminal = getattr(sys.stdout, "isatty", lambda: False)()
    return (
        bool(terminal) or not {"ipykernel", "posix"}.isdisjoint(sys.modules) or "PYCHARM_HOSTED" in os.environ
    )


def remaining(seconds: float) -> str:
    """12s, 1:05 or 1:02:03."""
    whole = int(seconds)
    if seconds > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if seconds > 60 else f"{whole}s"


def per_step(seconds: float, unit: str) -> str:
    """2ms/step"""
    if seconds >= 1 or seconds == 0:
        return f" {seconds:.0f}s/{unit}"
    return f" {seconds * 1e3:.0f}ms/{unit}" if seconds >= 1e-3 else f" {seconds * 1e6:.0f}us/{unit}"
