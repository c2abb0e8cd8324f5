"""How much of the machine others used while something was measured."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

_STAT = Path("/proc/stat")
_BUSY = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal; the others are idle or counted in these


def busy_seconds(stat: str, cpus: Collection[int], ticks: int) -> float:
    """Seconds that the CPUs have been busy since the machine started.

    >>> busy_seconds("cpu  9 9 9 9\\ncpu0 100 20 30 999 5 0 0 50 0 0\\ncpu1 7 7 7 7 7 7 7 7 7 7", [0], 100)
    2.0
    """
    rows = (line.split() for line in stat.splitlines())
    return sum(
        sum(int(row[1 + column]) for column in _BUSY)
        for row in rows
        if row and row[0].removeprefix("cpu").isdigit() and int(row[0][3:]) in cpus
    ) / float(ticks)


@dataclass
class Watch:
    """A span of this process: ``others()`` is the share of its CPUs that other processes have used since."""

    start: float = field(default_factory=time.perf_counter)
    own: float = field(default_factory=time.process_time)
    busy: float = field(default_factory=lambda: _busy())

    def others(self) -> float:
        """0 to 1; 0 where the system does not tell."""
        spent = (time.perf_counter() - self.start) * len(_cpus())
        foreign = _busy() - self.busy - (time.process_time() - self.own)
        return min(1.0, max(0.0, foreign / spent)) if spent else 0.0


def _cpus() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _busy() -> float:
    if not _STAT.exists():
        return 0.0
    return busy_seconds(_STAT.read_text(), _cpus(), os.sysconf("SC_CLK_TCK"))
