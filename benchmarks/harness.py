"""Interleaved measurement: each contender in its own process runs a short block in turn, the others stopped.

A noisy machine slows whoever runs at that moment. So contenders take turns in rounds, and what counts is the
ratio of two blocks of the same round.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.process import Handle, Process, WorkerError
from benchmarks.results import Series

Say = Callable[[str], None]

KEEP = 1.15  # a variant this much slower than its contender's fastest is not run in the rounds
LAGGARD = 3.0  # a contender this much slower than the fastest runs in the first rounds only
LAGGARD_ROUNDS = 3
QUIET = 0.1  # a block in which others used more of the CPUs than this is run once more
LEARNED = 0.95  # loss after all steps, as a part of what it is before any lesson
AGREEMENT = 1e-3  # how far the outputs of two contenders may lie apart, by the spread of all outputs


@dataclass(frozen=True)
class Pace:
    """How long to measure: ``rounds`` blocks of ``seconds`` for each way."""

    rounds: int
    seconds: float


@dataclass(frozen=True)
class Block:
    """Milliseconds a step or call, and the share of the CPUs that other processes used meanwhile."""

    ms: float
    others: float


@dataclass
class Lane:
    """One way of one contender to do what a measure asks for, and its blocks so far."""

    worker: Handle
    measure: str
    variant: str
    blocks: list[Block] = field(default_factory=list)
    trial: float = float("inf")

    def run(self, seconds: float) -> Block:
        answer = self.worker.ask("block", measure=self.measure, variant=self.variant, seconds=seconds)
        return Block(answer["ms"], answer["others"])

    def add(self, seconds: float) -> None:
        """Another block: the quieter of two if others disturbed the first."""
        block = self.run(seconds)
        if block.others > QUIET:
            block = min(block, self.run(seconds), key=lambda one: one.others)
        self.blocks.append(block)

    def series(self, task: str) -> Series:
        values = tuple(block.ms for block in self.blocks)
        others = tuple(block.others for block in self.blocks)
        return Series(task, self.measure, self.worker.name, self.variant, values, others)


@dataclass
class Outcome:
    """What a race left: series, versions by contender, and the last line of each failure."""

    series: list[Series] = field(default_factory=list)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def note_failure(self, task: str, name: str, error: object) -> None:
        self.failed[f"{task}: {name}"] = str(error).strip().splitlines()[-1]


def race(task: str, lanes: Sequence[Lane], pace: Pace, outcome: Outcome) -> None:
    """Runs the lanes of one measure in turn and adds their series; a lane that fails is noted and left out.

    Each lane first runs two blocks that do not count: the first compiles, the second decides whether the lane
    is worth all rounds (see KEEP and LAGGARD).
    """
    alive = [lane for lane in lanes if _try(task, lane, pace, outcome)]
    running = [lane for lane in alive if lane.trial <= KEEP * _best(alive, lane.worker.name)]
    fastest = min((lane.trial for lane in running), default=0.0)
    for number in range(pace.rounds):
        for lane in running:
            if number < LAGGARD_ROUNDS or lane.trial <= LAGGARD * fastest:
                lane.add(pace.seconds)
    running = [lane for lane in running if lane.measure != "train" or _learned(task, lane, outcome)]
    outcome.series += [lane.series(task) for lane in running]


def _try(task: str, lane: Lane, pace: Pace, outcome: Outcome) -> bool:
    try:
        lane.trial = min(lane.run(0).ms, lane.run(pace.seconds / 4).ms)
    except WorkerError as error:
        outcome.note_failure(task, f"{lane.worker.name}, {lane.variant}", error)
        return False
    return True


def _learned(task: str, lane: Lane, outcome: Outcome) -> bool:
    """Whether what was timed has trained the model: steps that teach nothing are no steps."""
    answer = lane.worker.ask("learned", variant=lane.variant)
    loss, untaught = float(answer["loss"]), float(answer["untaught"])
    has_learned = loss < LEARNED * untaught
    if not has_learned:
        why = f"has not learned: the loss is {loss:.2g}, and was {untaught:.2g} before"
        outcome.note_failure(task, f"{lane.worker.name}, {lane.variant}", why)
    return has_learned


def _best(lanes: Iterable[Lane], name: str) -> float:
    return min(lane.trial for lane in lanes if lane.worker.name == name)


def disagreeing(samples: dict[str, list[float]]) -> dict[str, float]:
    """Contenders whose outputs lie further than AGREEMENT from the median of all, with the distance.

    Distances count as parts of the spread of the outputs: those of many classes, or near one half, are close.

    All start from the same weights, so who disagrees does not run the same model. Samples are empty of what
    draws random numbers.
    """
    middle = [statistics.median(column) for column in zip(*samples.values(), strict=True)]
    spread = max(middle, default=0.0) - min(middle, default=0.0) or max(map(abs, middle), default=1.0)
    distances = {
        name: max((abs(a - b) for a, b in zip(sample, middle, strict=True)), default=0.0) / spread
        for name, sample in samples.items()
    }
    return {name: distance for name, distance in distances.items() if not distance <= AGREEMENT}


def measure_task(
    kind: str,
    task: str,
    contenders: Iterable[tuple[Contender, str]],
    threads: int,
    pace: Pace,
    say: Say,
    only: Sequence[str] | None = None,
) -> Outcome:
    """Measures one workload or kernel (``only`` these measures) with every contender."""
    outcome = Outcome()
    workers: dict[str, Process] = {}
    try:
        opened: dict[str, dict[str, Any]] = {}
        for contender, python in contenders:
            say(f"{task}: {contender.name} starts")
            workers[contender.name] = worker = Process(contender, python, threads)
            try:
                opened[worker.name] = worker.ask(
                    "open", kind=kind, contender=worker.name, task=task, threads=threads
                )
            except WorkerError as error:
                outcome.note_failure(task, worker.name, error)
        same = _same_models(task, opened, outcome)
        for answer in same.values():
            found = answer["variants"]
            answer["variants"] = {one: found[one] for one in found if only is None or one in only}
        _race_all(task, workers, same, pace, outcome, say)
    finally:
        for worker in workers.values():
            worker.close()
    return outcome


def _same_models(task: str, opened: dict[str, dict[str, Any]], outcome: Outcome) -> dict[str, dict[str, Any]]:
    wrong = disagreeing({name: answer["sample"] for name, answer in opened.items()})
    for name, distance in wrong.items():
        outcome.note_failure(task, name, f"not the same model: its outputs differ by {distance:.2g}")
    outcome.versions = {name: answer["versions"] for name, answer in opened.items()}
    return {name: answer for name, answer in opened.items() if name not in wrong}


def _race_all(
    task: str,
    workers: dict[str, Process],
    opened: dict[str, dict[str, Any]],
    pace: Pace,
    outcome: Outcome,
    say: Say,
) -> None:
    measures = dict.fromkeys(measure for answer in opened.values() for measure in answer["variants"])
    for measure in measures:
        lanes = [
            Lane(workers[name], measure, variant)
            for name, answer in opened.items()
            for variant in answer["variants"].get(measure, ())
        ]
        say(f"{task}: {measure}, {len(lanes)} ways")
        race(task, lanes, pace, outcome)
