"""What a run measured: raw samples, and the few statistics that are read from them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Series:
    """Values of one contender's variant on one workload or kernel, one a round: ms, or MB of memory.

    ``others``: the share of the CPUs that other processes used during each, where that was watched.
    """

    task: str
    measure: str
    contender: str
    variant: str
    values: tuple[float, ...]
    others: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True)
class Ratio:
    """Median over the rounds of one contender's value by another's, with the quartiles."""

    median: float
    low: float
    high: float


def ratio(ours: Series, theirs: Series) -> Ratio:
    """Pairs the values round by round, so that noise that lasts longer than a round cancels.

    >>> ratio(Series("t", "train", "a", "", (1, 4)), Series("t", "train", "b", "", (2, 8)))
    Ratio(median=0.5, low=0.5, high=0.5)
    """
    ratios = [a / b for a, b in zip(ours.values, theirs.values, strict=False)]
    low, middle, high = (
        statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    )
    return Ratio(middle, low, high)


@dataclass
class Results:
    """All series of a run, with what is needed to read them later.

    ``versions`` maps contender to package to version, ``failed`` what failed to the last line of its error,
    ``peak`` holds gflops and gbytes of ``threads`` threads, where it could be measured.
    """

    machine: dict[str, Any]
    threads: int
    date: str
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    peak: dict[str, float] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)

    def select(self, task: str, measure: str, contenders: Iterable[str] | None = None) -> list[Series]:
        wanted = None if contenders is None else set(contenders)
        return [
            one
            for one in self.series
            if (one.task, one.measure) == (task, measure) and (wanted is None or one.contender in wanted)
        ]

    def fastest(self, task: str, measure: str, contenders: Iterable[str] | None = None) -> Series | None:
        """The series with the lowest median among all variants of the contenders."""
        return min(self.select(task, measure, contenders), key=lambda one: one.median, default=None)

    def names(self, task: str, measure: str) -> list[str]:
        """Contenders that have the measure."""
        return list(dict.fromkeys(one.contender for one in self.select(task, measure)))

    def disturbance(self) -> float:
        """Median share of the CPUs that other processes used while blocks ran."""
        return statistics.median([share for one in self.series for share in one.others] or [0.0])

    def raise_peak(self, peak: dict[str, float]) -> None:
        """Keeps the higher of two measurements: noise only lowers them."""
        self.peak = {name: max(value, self.peak.get(name, 0.0)) for name, value in peak.items()} or self.peak

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, path: Path) -> Results:
        fields = json.loads(path.read_text())
        lists = ("values", "others")
        series = [
            Series(**(one | {name: tuple(one[name]) for name in lists})) for one in fields.pop("series")
        ]
        return cls(series=series, **fields)


def merged(runs: Sequence[Results]) -> Results:
    """Runs of one machine as one: what was measured again counts in its latest form, whole rows at a time.

    Raises: ValueError if machine or threads differ.
    """
    first, last = runs[0], runs[-1]
    if any((run.machine["cpu"], run.threads) != (first.machine["cpu"], first.threads) for run in runs):
        raise ValueError("runs of different machines or thread counts cannot be compared")
    result = Results(last.machine, last.threads, last.date)
    for run in runs:
        again = {(one.task, one.measure) for one in run.series}
        result.series = [one for one in result.series if (one.task, one.measure) not in again] + run.series
        result.versions |= run.versions
        result.raise_peak(run.peak)
    result.missing, result.failed = last.missing, last.failed
    return result
