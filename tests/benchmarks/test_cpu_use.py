"""The watch over what others use, with a spinning process beside an idle one."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from benchmarks import cpu_use
from benchmarks.cpu_use import Watch


def test_only_the_named_cpus_count():
    stat = "cpu  1 1 1 1 1 1 1 1\ncpu0 1 2 4 8 16 32 64 128 256 512\ncpu10 100 0 0 0 0 0 0 0 0 0\nintr 5\n"
    assert cpu_use.busy_seconds(stat, {0}, 1) == 1 + 2 + 4 + 32 + 64 + 128
    assert cpu_use.busy_seconds(stat, {10, 3}, 10) == 10


@pytest.mark.parametrize("own, expected", [(0.0, 0.75), (0.5, 0.5), (9.0, 0.0)])
def test_what_is_not_our_own_is_others(monkeypatch, own, expected):
    monkeypatch.setattr(cpu_use, "_cpus", lambda: {0, 1})
    monkeypatch.setattr(cpu_use, "_busy", lambda: 101.5)
    monkeypatch.setattr(cpu_use.time, "perf_counter", lambda: 11.0)
    monkeypatch.setattr(cpu_use.time, "process_time", lambda: 5.0 + own)
    assert Watch(start=10.0, own=5.0, busy=100.0).others() == expected


@pytest.mark.skipif(not cpu_use._STAT.exists(), reason="the system has no /proc/stat")
def test_a_spinning_process_is_seen():
    spin = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.1)
        watch = Watch()
        time.sleep(0.3)
        assert watch.others() > 0.5 / len(os.sched_getaffinity(0))
    finally:
        spin.kill()
        spin.wait()
