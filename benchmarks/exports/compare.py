"""Runs all exporters over all cases and compares their files.

What a file should compute is what real Keras predicts, on whichever backend tells first; where no Keras has
the case, what our model computes without a file. Times of a case in which another's file seems to be faster
are taken again, in new sessions.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import environment
from benchmarks.contenders import OURS, Contender
from benchmarks.exports.cases import MODELS, inputs
from benchmarks.exports.exporters import EXPORTERS
from benchmarks.exports.files import Session, apart, latencies, nodes, path_of, predicted, size, with_rows

SLOWER = 1.05  # times the best of the others: what is counted
CLOSE = 1e-4  # farther apart than this, two files do not compute the same
PATIENCE = 180  # seconds that an exporter may take for one file, its library's import included


@dataclass
class File:
    """What one exporter made of a case. difference: from what is right. batch: what it is fixed to."""

    error: str = ""
    nodes: int = 0
    bytes: int = 0
    microseconds: float = 0.0
    difference: float = 0.0
    batch: int | None = None


@dataclass
class Comparison:
    """A case with the files of all exporters. reference: whose model told what is right."""

    case: str
    files: dict[str, File] = field(default_factory=dict)
    reference: str = ""

    def others(self) -> Iterable[File]:
        """Files of others that run and compute the same."""
        return [
            one for n, one in self.files.items() if n != OURS and not one.error and one.difference <= CLOSE
        ]

    @property
    def lacks(self) -> bool:
        """Does another exporter write what we do not?"""
        return bool(self.files[OURS].error) and bool(self.others())

    def ratio(self, what: str) -> float:
        """Ours by the best of the others; 0 where there is no other."""
        best = min((getattr(one, what) for one in self.others()), default=0.0)
        return float(getattr(self.files[OURS], what) / best) if best and not self.files[OURS].error else 0.0


class Worker:
    """An exporter's process; a new one is started where one has died."""

    def __init__(self, exporter: Contender, python: str, folder: Path, threads: int) -> None:
        self.name, self.folder = exporter.name, folder
        self.command = [python, "-m", "benchmarks.exports.worker", exporter.name, str(folder)]
        self.environment = environment.child_environment(exporter, threads)
        self.process: subprocess.Popen[str] | None = None

    def write(self, case: str) -> tuple[Path | None, str]:
        """The file, or what went wrong."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True, env=self.environment, cwd=environment.ROOT,
            )  # fmt: skip
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{case}\n")
        self.process.stdin.flush()
        limit = threading.Timer(PATIENCE, self.process.kill)
        limit.start()
        word, _, rest = self.process.stdout.readline().rstrip("\n").partition(" ")
        limit.cancel()
        if word == "ok":
            return Path(rest), ""
        if not word:
            rest, self.process = f"the process ended with code {self.process.wait()}", None
        return None, rest

    def path_of(self, case: str) -> Path:
        """Where its file of a case lies."""
        return path_of(self.folder, self.name, case)

    def forget(self, case: str) -> None:
        """Remove what was written for a case."""
        for path in self.folder.glob(f"{self.path_of(case).stem}.*"):
            path.unlink()

    def close(self) -> None:
        if self.process is not None:
            self.process.communicate()  # the end of its input ends it


def compare(
    cases: Sequence[str], pythons: Sequence[str], threads: int, say: Callable[[str], None],
    exporters: Sequence[str] | None = None, done: Sequence[Comparison] = (),
    keep: Callable[[list[Comparison]], None] = lambda found: None,
) -> list[Comparison]:  # fmt: skip
    """All cases by all exporters that some interpreter has, after those that are done.

    keep: called after each case with all that were compared: a run that is stopped has not been in vain.
    """
    known = {one.case for one in done}
    rows = [row for name, row in EXPORTERS.items() if exporters is None or name in (*exporters, OURS)]
    found = [(row, environment.find_python(row.requires, pythons)) for row in rows]
    for row, python in found:
        if python is None:
            say(f"{row.name}: not installed ({', '.join(row.requires)})")
    with tempfile.TemporaryDirectory() as folder:
        workers = {r.name: Worker(r, p, Path(folder), threads) for r, p in found if p is not None}
        compared = list(done)
        try:
            for case in (case for case in cases if case not in known):
                compared.append(_compared(case, workers, threads, say))
                keep(compared)
        finally:
            for worker in workers.values():
                worker.close()
    return compared


def _compared(case: str, workers: dict[str, Worker], threads: int, say: Callable[[str], None]) -> Comparison:
    made, paths, wanted = Comparison(case), dict[str, Path](), list[np.ndarray]()
    for name, worker in sorted(workers.items(), key=lambda item: item[0] == OURS):  # ours is asked last
        path, error = worker.write(case)
        made.files[name] = one = File(error)
        if not wanted and (wanted := predicted(worker.path_of(case))):
            made.reference = name
        if path is not None:
            paths[name], one.nodes, one.bytes = path, nodes(path), size(path)
    made.files = {name: made.files[name] for name in workers}
    opened = partial(_opened, made, paths, threads if case in MODELS else 1)
    _measure(made, opened(), wanted)
    if made.ratio("microseconds") > SLOWER:
        _measure(made, opened(), wanted)
    for worker in workers.values():
        worker.forget(case)
    say(f"{case}: " + ", ".join(f"{n} {'-' if f.error else f.nodes}" for n, f in made.files.items()))
    return made


def _opened(made: Comparison, paths: dict[str, Path], threads: int) -> dict[str, Session]:
    """Sessions of the files that onnxruntime takes."""
    sessions = {}
    for name, path in paths.items():
        with _telling(made.files[name]):
            sessions[name] = Session(path, threads)
            made.files[name].batch = sessions[name].batch
    return sessions


@contextmanager
def _telling(file: File) -> Iterator[None]:
    """What goes wrong in onnxruntime is told of the file."""
    try:
        yield
    except Exception as refused:
        file.error = f"onnxruntime: {refused}".replace("\n", " ")[:300]


def _measure(made: Comparison, sessions: dict[str, Session], wanted: list[np.ndarray]) -> None:
    """Results and times, at one batch size for all."""
    arrays = inputs(made.case)
    batch = next((one.batch for one in sessions.values() if one.batch is not None), None)
    ready = {}
    for name, session in sessions.items():
        with _telling(made.files[name]):
            feeds = session.feeds(arrays, batch)
            made.files[name].difference = apart(session.run(feeds), with_rows(wanted, batch))
            ready[name] = session, feeds
    for name, microseconds in latencies(ready).items():
        made.files[name].microseconds = microseconds


def load(path: Path) -> list[Comparison]:
    """What an earlier run saved."""
    cases = json.loads(path.read_text())["cases"]
    return [
        Comparison(c["case"], {name: File(**one) for name, one in c["files"].items()}, c.get("reference", ""))
        for c in cases
    ]


def save(comparisons: Sequence[Comparison], path: Path, about: dict[str, Any]) -> None:
    """The raw figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about | {"cases": [asdict(one) for one in comparisons]}, indent=1))
