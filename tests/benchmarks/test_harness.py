"""Rounds with fake workers: who runs when, who is left out, and what a failure leaves behind."""

from __future__ import annotations

import pytest

from benchmarks.harness import LAGGARD_ROUNDS, Lane, Outcome, Pace, disagreeing, race
from benchmarks.process import WorkerError


class FakeWorker:
    """Answers blocks from a table of ms by variant, or of lists of (ms, share that others used)."""

    def __init__(self, name, log, loss=0.9, **ms):
        self.name, self.log, self.loss, self.ms = name, log, loss, ms

    def ask(self, do, **request):
        if do == "learned":
            return {"loss": self.loss, "untaught": 2.0}
        assert do == "block"
        found = self.ms[request["variant"]]
        if isinstance(found, Exception):
            raise found
        self.log.append((self.name, request["variant"], request["seconds"]))
        ms, others = found.pop(0) if isinstance(found, list) else (found, 0.0)
        return {"ms": ms, "others": others}


def run(rounds, *workers):
    outcome = Outcome()
    lanes = [Lane(worker, "train", variant) for worker in workers for variant in worker.ms]
    race("t", lanes, Pace(rounds, 0.2), outcome)
    return outcome


def test_contenders_take_turns():
    log: list[tuple[str, str, float]] = []
    run(2, FakeWorker("a", log, fit=1.0), FakeWorker("b", log, fit=1.1))
    trials, rounds = log[:4], log[4:]
    assert [seconds for *_, seconds in trials] == [0, 0.05, 0, 0.05]
    assert [name for name, *_ in rounds] == ["a", "b", "a", "b"]


def test_a_slow_variant_of_a_contender_is_left_out():
    outcome = run(3, FakeWorker("a", [], fit=1.0, batch=1.1, slow=1.5))
    assert [one.variant for one in outcome.series] == ["fit", "batch"]
    assert outcome.series[0].values == (1.0, 1.0, 1.0)


def test_a_slow_contender_runs_in_the_first_rounds_only():
    outcome = run(9, FakeWorker("a", [], fit=1.0), FakeWorker("b", [], fit=3.1))
    assert [len(one.values) for one in outcome.series] == [9, LAGGARD_ROUNDS]


def test_a_failure_is_noted_and_the_others_go_on():
    broken = FakeWorker("b", [], fit=WorkerError("Traceback\n  line\nValueError: no such thing"))
    outcome = run(2, FakeWorker("a", [], fit=1.0), broken)
    assert [one.contender for one in outcome.series] == ["a"]
    assert outcome.failed == {"t: b, fit": "ValueError: no such thing"}


def test_a_disturbed_block_is_run_once_more():
    blocks = [(1.0, 0.0), (1.0, 0.0), (9.0, 0.9), (2.0, 0.05), (7.0, 0.3), (8.0, 0.4), (3.0, 0.1)]
    outcome = run(3, FakeWorker("a", [], fit=blocks))
    assert outcome.series[0].values == (2.0, 7.0, 3.0)
    assert outcome.series[0].others == (0.05, 0.3, 0.1)
    assert blocks == []


@pytest.mark.parametrize("loss", [1.9, float("nan")])
def test_steps_that_teach_nothing_do_not_count(loss):
    outcome = run(2, FakeWorker("a", [], loss, fit=1.0), FakeWorker("b", [], fit=2.0))
    assert [one.contender for one in outcome.series] == ["b"]
    assert "has not learned" in outcome.failed["t: a, fit"]


def test_no_contender_at_all():
    assert run(2).series == []


def test_who_is_not_the_same_model():
    samples = {"a": [0.5, 0.9], "b": [0.50001, 0.90001], "c": [0.6, 0.9]}
    assert disagreeing(samples) == pytest.approx({"c": 0.25}, rel=1e-3)
    assert list(disagreeing({"a": [1e-3], "b": [1e-3], "c": [1.01e-3]})) == ["c"]
    assert list(disagreeing({"a": [0.5], "b": [0.5], "c": [float("nan")]})) == ["c"]
    assert disagreeing({}) == {}


def test_who_draws_random_numbers_disagrees_with_nobody():
    assert disagreeing({"a": [], "b": []}) == {}
