"""How a worker times steps and calls, with a clock that the test moves."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import worker
from benchmarks.workloads import WORKLOADS, data


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(worker, "time", clock)
    return clock


def test_time_per_step_over_whole_chunks(clock):
    calls = []

    def chunk():
        calls.append(clock.now)
        clock.now += 0.4
        return 8

    assert worker.per_step(chunk, 1.0) == pytest.approx(0.05)
    assert len(calls) == 3


def test_one_chunk_at_least(clock):
    def chunk():
        clock.now += 2.0
        return 4

    assert worker.per_step(chunk, 0.0) == 0.5


def test_a_call_is_its_median_after_a_warm_up(clock):
    durations = iter([9.0, 0.1, 0.2, 5.0, 0.2])

    def call():
        clock.now += next(durations)

    # The first call is the warm-up; then 0.1, 0.2, 5.0 fill the block.
    assert worker.per_call(call, 1.0) == pytest.approx(0.2)


def test_requests_before_a_model_is_open_fail():
    with pytest.raises(AttributeError):
        worker.Worker().block("train", "fit", 0.1)


def test_learned_is_the_loss_on_the_first_batch():
    work = WORKLOADS["digits"]
    labels = data(work, work.batch)[1]

    class Session:
        def outputs(self, variant):
            return np.array([[0.7 if column == label else 0.1 for column in range(10)] for label in labels])

    one = worker.Worker()
    one.session, one.work, one.first = Session(), work, [0.1] * 40
    found = one.learned("fit")
    assert found == {"loss": pytest.approx(-np.log(0.7)), "untaught": pytest.approx(np.log(10))}
    one.first = [0.5] * 40
    assert 1.5 < one.learned("fit")["untaught"] < np.log(10)  # of the share of each class in the batch
