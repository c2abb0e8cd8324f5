"""Import time, time from process start to the first training step, peak memory: all in fresh processes."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import environment
from benchmarks.contenders import Contender
from benchmarks.harness import Outcome, Say
from benchmarks.results import Series

Runner = tuple[Contender, str]
"""A contender and the interpreter that runs it."""


class Fresh(NamedTuple):
    """What a fresh process told: the clock at its end, its memory at the peak and behind the import in MB."""

    end: float
    peak: float
    imported: float


TIMEOUT = 300  # seconds that a fresh process may take

_IMPORT = """
import sys
from time import perf_counter
start = perf_counter()
__import__(sys.argv[1])
print(perf_counter() - start)
"""


def import_ms(runner: Runner, threads: int) -> float:
    """Milliseconds of the import statement in a new interpreter."""
    contender, python = runner
    return 1e3 * float(_run([python, "-c", _IMPORT, contender.imports], contender, threads))


def first_step_ms(runner: Runner, workload: str, threads: int, cache: Path) -> float:
    """Milliseconds from the start of a process to the end of its first training step."""
    contender, _ = runner
    moved = {name: str(cache) for name in contender.cache}
    start = time.perf_counter()
    return 1e3 * (_fresh(runner, workload, threads, "first_step", moved).end - start)


def trained(runner: Runner, workload: str, threads: int) -> Fresh:
    """A process that imports, builds and trains for an epoch."""
    return _fresh(runner, workload, threads, "memory", {})


def _fresh(runner: Runner, workload: str, threads: int, what: str, extra: dict[str, str]) -> Fresh:
    contender, python = runner
    command = [python, "-m", "benchmarks.fresh", contender.name, workload, str(threads), what]
    return Fresh(*map(float, _run(command, contender, threads, extra).split()))


def _run(command: list[str], contender: Contender, threads: int, extra: dict[str, str] | None = None) -> str:
    """The last line that the command prints. Raises RuntimeError with its last words if it fails."""
    environ = environment.child_environment(contender, threads) | (extra or {})
    try:
        run = subprocess.run(
            command,
            env=environ,
            cwd=environment.ROOT,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"still running after {TIMEOUT} s") from error
    if run.returncode:
        raise RuntimeError(run.stderr.strip() or f"ended with code {run.returncode}")
    return run.stdout.strip().splitlines()[-1]


def measure_startup(
    workload: str, runners: Sequence[Runner], threads: int, rounds: int, say: Say, imports: bool = True
) -> Outcome:
    """Series ``import`` (if asked for), ``first_cold`` and ``first_warm`` (ms); contenders take turns.

    Cold means an empty compilation cache; warm is the next process with the cache that the cold one filled. A
    contender's first import is not counted: it reads the files from disk and writes byte code.
    """
    values: dict[tuple[str, str], list[float]] = {}
    outcome = Outcome()
    alive = list(runners)
    for number in range(rounds):
        for runner in list(alive):
            name = runner[0].name
            say(f"{workload}, start: {name}, round {number + 1} of {rounds}")
            try:
                if number == 0:
                    import_ms(runner, threads)
                for measure, value in _start_values(runner, workload, threads, imports):
                    values.setdefault((measure, name), []).append(value)
            except RuntimeError as error:
                outcome.note_failure(f"{workload}, start", name, error)
                alive.remove(runner)
    outcome.series = [
        Series(workload, measure, name, "", tuple(found)) for (measure, name), found in values.items()
    ]
    return outcome


def _start_values(runner: Runner, workload: str, threads: int, imports: bool) -> Iterator[tuple[str, float]]:
    if imports:
        yield "import", import_ms(runner, threads)
    if runner[0].trains:
        with tempfile.TemporaryDirectory() as cache:
            for measure in ("first_cold", "first_warm"):
                yield measure, first_step_ms(runner, workload, threads, Path(cache))
