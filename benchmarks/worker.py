"""The process that holds one contender's model and runs blocks of work when told to.

It reads one JSON request a line from stdin and answers one JSON line; what libraries print goes to stderr.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import CONTENDERS
from benchmarks.cpu_use import Watch
from benchmarks.kernel_cases import CASES, Case
from benchmarks.layer_cases import LAYERS
from benchmarks.scaled import EVERY
from benchmarks.workloads import MEASURES, Workload, data, loss_of, untaught_loss

if TYPE_CHECKING:
    import numpy as np

TASKS: dict[str, dict[str, Any]] = {"model": EVERY, "kernel": CASES, "layer": LAYERS}


class Worker:
    """Answers requests; ``open`` comes first."""

    def __init__(self) -> None:
        self.session: Any  # a Session, or a Trainer
        self.work: Workload | Case
        self.first: list[float] = []  # some outputs under the first weights
        self.runners: dict[tuple[str, str], Callable[[], Any]] = {}

    def open(self, kind: str, contender: str, task: str, threads: int) -> dict[str, Any]:
        row = CONTENDERS[kind][contender]
        adapter = importlib.import_module(f"benchmarks.peers.{row.adapter}")
        self.work = TASKS[kind][task]
        self.session = adapter.open_session(row, self.work, threads)
        self.first = self.session.sample()
        return {
            "versions": self.session.versions(),
            "variants": {measure: self.session.variants(measure) for measure in MEASURES[kind]},
            "sample": self.first,
        }

    def block(self, measure: str, variant: str, seconds: float) -> dict[str, Any]:
        """Milliseconds per step or call over about ``seconds``, and the share of the CPUs that others used.

        A variant's first block also builds it.
        """
        key = (measure, variant)
        if key not in self.runners:
            self.runners[key] = self.session.runner(measure, variant)
        timed = per_step if measure == "train" else per_call
        watch = Watch()
        return {"ms": 1e3 * timed(self.runners[key], seconds), "others": watch.others()}

    def learned(self, variant: str) -> dict[str, float]:
        """Loss of a trained model on the first batch, and what it is before any lesson.

        That is the loss under the first weights (of the samples whose outputs are known), or of a model that
        knows the targets alone, whichever is greater.
        """
        assert isinstance(self.work, Workload)
        _, targets = data(self.work, self.work.batch)
        outputs = self.session.outputs(variant)
        return {
            "loss": loss_of(self.work, outputs, targets),
            "untaught": max(untaught_loss(self.work, targets), loss_before(self.work, self.first, targets)),
        }


def loss_before(work: Workload, first: list[float], targets: np.ndarray) -> float:
    """The loss of the outputs that ``Session.sample`` gives."""
    import numpy as np

    outputs = np.reshape(first, (-1, *work.output_shape))
    return loss_of(work, outputs, targets[: len(outputs)])


def per_step(chunk: Callable[[], int], seconds: float) -> float:
    """Seconds per training step, over whole chunks."""
    steps = 0
    start = time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds or not steps:
        steps += chunk()
    return spent / steps


def per_call(call: Callable[[], object], seconds: float) -> float:
    """Median seconds of one call; a process that has just been woken warms its caches first."""
    clock = time.perf_counter
    end = clock() + seconds / 5
    while clock() < end:
        call()
    times: list[float] = []
    end = clock() + seconds
    while (start := clock()) < end or not times:
        call()
        times.append(clock() - start)
    return statistics.median(times)


def die_with_parent() -> None:
    """A stopped process would outlive a harness that was killed; Linux can be asked to end it."""
    if sys.platform == "linux":
        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


def main() -> None:
    die_with_parent()
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception:
            answer = {"error": traceback.format_exc()}
        replies.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
