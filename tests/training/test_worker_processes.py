"""Worker processes of a PyDataset do not outlive the one that started them, and leave Ctrl-C to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from kcompile.training.data.start_method import start_method

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


UNGUARDED = """
import numpy as np
import kcompile as keras

print("once", flush=True)

class Rows(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        x = np.full((2, 3), index, "float32")
        return x, x[:, :1]

model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)
print(model.predict(Rows(workers=2, use_multiprocessing=True), verbose=0).shape)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["script", "typed in"])
def test_programs_without_a_guard(how, tmp_path):
    (tmp_path / "program.py").write_text(UNGUARDED)
    given = [tmp_path / "program.py"] if how == "script" else ["-"]
    run = subprocess.run(
        [sys.executable, *given],
        input=UNGUARDED,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.stdout == "once\n(8, 1)\n", run.stderr


def test_how_processes_begin(tmp_path, monkeypatch):
    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: ["fork", "spawn"])
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert [start_method(copy) for copy in (None, b"c__main__", b"cmodule")] == ["fork", "fork", "spawn"]
    main.__file__ = str(tmp_path / "program.py")
    for text, expected in (
        ("x = 1", "fork"),
        ('if __name__ == "__main__":\n    x = 1', "spawn"),
        ('if "__main__" == __name__ and True:\n    pass', "spawn"),
        ("if x:\n    __name__", "fork"),
        ("def (", "fork"),
    ):
        (tmp_path / "program.py").write_text(text)
        assert start_method(b"") == expected
    (tmp_path / "program.py").unlink()
    assert start_method(b"") == "fork"
