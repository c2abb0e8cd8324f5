"""Peak resident memory of a process that imports a library, builds a model and trains it for an epoch: the
whole process, and what it took beyond the import.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.harness import Outcome, Say
from benchmarks.results import Series
from benchmarks.startup import Runner, trained


def measure_memory(workload: str, runners: Sequence[Runner], threads: int, say: Say) -> Outcome:
    """Series ``memory`` and ``memory_beyond`` in MB, one value each: memory hardly varies.

    ``memory_beyond`` is the peak without what was resident right behind the import: whoever imports lazily
    pays for the rest there.
    """
    outcome = Outcome()
    for runner in runners:
        contender, _ = runner
        if not contender.trains:
            continue
        say(f"{workload}, memory: {contender.name}")
        try:
            found = trained(runner, workload, threads)
        except RuntimeError as error:
            outcome.note_failure(f"{workload}, memory", contender.name, error)
        else:
            values = {"memory": found.peak, "memory_beyond": found.peak - found.imported}
            outcome.series += [
                Series(workload, name, contender.name, "", (value,)) for name, value in values.items()
            ]
    return outcome
