"""Worker processes of a PyDataset do not outlive the one that started them, and leave Ctrl-C to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import time

from kcompile.training.data.batches import batch_data
from tests.training.datasets import Shifted

if __name__ == "__main__":
    source = batch_data(Shifted(workers=1, use_multiprocessing=True))
    try:
        for _, maker, _ in source.epoch():
            print(int(maker[0, 0]), flush=True)
            time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.fixture
def training(tmp_path):
    """A process that waits for Ctrl-C, in a group of its own, and the number of its worker."""
    (tmp_path / "program.py").write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "program.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    yield process, int(process.stdout.readline())
    process.kill()
    process.communicate()


def ends(worker):
    """Is it gone in time? One that nobody has waited for yet counts as gone."""
    for _ in range(600):
        try:
            state = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_a_worker_ends_with_a_parent_that_is_killed(training):
    process, worker = training
    process.kill()
    assert ends(worker)


@pytest.mark.slow
def test_ctrl_c_is_the_parents(training):
    process, worker = training
    os.killpg(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert printed == "interrupted\n" and process.returncode == 0
    assert ends(worker)
