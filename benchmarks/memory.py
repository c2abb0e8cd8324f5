"""Peak resident memory of a process that imports a library, builds a model and trains it for an epoch."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.harness import Outcome, Say
from benchmarks.results import Series
from benchmarks.startup import Runner, peak_mb


def measure_memory(workload: str, runners: Sequence[Runner], threads: int, say: Say) -> Outcome:
    """Series ``memory`` in MB, one value each: memory hardly varies."""
    outcome = Outcome()
    for runner in runners:
        contender, _ = runner
        if not contender.trains:
            continue
        say(f"{workload}, memory: {contender.name}")
        try:
            megabytes = peak_mb(runner, workload, threads)
        except RuntimeError as error:
            outcome.note_failure(f"{workload}, memory", contender.name, error)
        else:
            outcome.series.append(Series(workload, "memory", contender.name, "", (megabytes,)))
    return outcome
