"""A real worker process, with onnxruntime as the contender."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.contenders import CONTENDERS
from benchmarks.environment import ROOT
from benchmarks.process import Process, WorkerError

pytest.importorskip("onnxruntime")


@pytest.fixture
def process():
    process = Process(CONTENDERS["model"]["onnxruntime"], sys.executable, 1)
    yield process
    process.close()


def state(process):
    """The letter that Linux gives once it is T (stopped), or after a second; signals take a moment."""
    end = time.monotonic() + 1
    letter = ""
    while letter != "T" and time.monotonic() < end:
        letter = Path(f"/proc/{process.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return letter


def open_it(process, task="digits"):
    return process.ask("open", kind="model", contender="onnxruntime", task=task, threads=1)


def test_blocks_are_timed_and_the_process_stands_still_in_between(process):
    opened = open_it(process)
    assert opened["variants"] == {"train": [], "predict": [], "call": ["run"], "throughput": ["run"]}
    assert sum(opened["sample"]) == pytest.approx(4, abs=1e-4)  # four rows of probabilities
    assert 0 < process.ask("block", measure="call", variant="run", seconds=0.01)["ms"] < 1000
    assert state(process) == "T"


def test_errors_come_back_and_the_process_lives_on(process):
    with pytest.raises(WorkerError, match="KeyError: 'nothing'"):
        open_it(process, "nothing")
    assert open_it(process)["versions"].keys() == {"onnxruntime"}


def test_a_dead_process_is_an_error(process):
    process.process.kill()
    process.process.wait()
    with pytest.raises(WorkerError, match="ended with code -9"):
        open_it(process)


_KILLED_HARNESS = """
import os, signal, sys
from benchmarks.contenders import CONTENDERS
from benchmarks.process import Process
process = Process(CONTENDERS["model"]["onnxruntime"], sys.executable, 1)
process.ask("open", kind="model", contender="onnxruntime", task="digits", threads=1)
print(process.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux to end the workers of a dead parent")
def test_no_stopped_worker_outlives_a_killed_harness():
    command = [sys.executable, "-c", _KILLED_HARNESS]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    worker = Path(f"/proc/{int(run.stdout)}")
    end = time.monotonic() + 2
    while worker.exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert not worker.exists() or ") Z " in (worker / "stat").read_text()
