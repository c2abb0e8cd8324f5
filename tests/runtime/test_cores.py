"""How many threads a process takes: what the system gives it, settings, `set_num_threads` above all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import kcompile
from kcompile.core.config import config
from kcompile.runtime import cores
from kcompile.runtime.cores import available_cores, cgroup_cores, default_threads
from kcompile.runtime.team import team


@pytest.fixture
def threads():
    """The number of threads is put back."""
    before = kcompile.get_num_threads()
    yield
    kcompile.set_num_threads(before)


@pytest.mark.parametrize(
    "membership, files, expected",
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "max 100000"}, 4.0),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000", "a/b/cpu.max": "300000 100000"}, 2.0),
        (
            "5:cpu,cpuacct:/job\n3:memory:/x\n",
            {"cpu,cpuacct/job/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n"},
            0.5,
        ),
        (
            "5:cpu:/job\n",
            {"cpu/job/cpu.cfs_quota_us": "-1\n", "cpu/job/cpu.cfs_period_us": "100000\n"},
            None,
        ),
        ("5:cpu:/job\n", {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3.0),
        ("0::/gone\n", {}, None),
        ("nonsense", {"cpu.max": "1 2 3"}, None),
    ],
)
def test_quotas_of_control_groups(tmp_path, membership, files, expected):
    root = tmp_path / "cgroup"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (tmp_path / "membership").write_text(membership)
    assert cgroup_cores(tmp_path / "membership", root) == expected


def test_a_quota_limits_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for quota, expected in ((None, 8), (2.0, 2), (1.5, 2), (0.3, 1), (20.0, 8)):
        monkeypatch.setattr(cores, "cgroup_cores", lambda *_, quota=quota: quota)
        assert available_cores() == expected


@pytest.mark.parametrize(
    "omp, ours, expected",
    [
        ("", 0, 8),
        ("3", 0, 3),
        ("3,2", 0, 3),
        ("99", 0, 8),
        ("many", 0, 8),
        ("0", 0, 8),
        ("3", 5, 5),
        ("", 12, 12),
    ],
)
def test_settings(monkeypatch, omp, ours, expected):
    monkeypatch.setattr(cores, "available_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", omp)
    with config(num_threads=ours):
        assert default_threads() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity as Linux has it")
def test_affinity_and_the_environment_of_a_process():
    ask = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nimport kcompile\n"
    ask += "print(kcompile.get_num_threads())\nkcompile.set_num_threads(3)\nprint(kcompile.get_num_threads())"
    environment = {
        k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "KCOMPILE_NUM_THREADS")
    }
    said = subprocess.run(
        [sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["1", "3"]


def test_set_num_threads(threads):
    for count in (3, 1, np.int64(2)):
        kcompile.set_num_threads(count)
        assert kcompile.get_num_threads() == team().threads == count
    same = team()
    kcompile.set_num_threads(2)
    assert team() is same
    for wrong in (0, -1, 1.5, True, None, "2"):
        with pytest.raises(ValueError, match="set_num_threads: a number from 1 on"):
            kcompile.set_num_threads(wrong)
    assert team() is same


def test_workers_of_the_team_before_end(threads):
    rows = 512

    @kcompile.jit
    def double(x):
        return kcompile.ops.exp(x) * 2.0

    x = np.ones((rows, 600), "float32")
    for count in (3, 2, 1):
        kcompile.set_num_threads(count)
        np.testing.assert_allclose(double(x), np.exp(x) * 2, rtol=1e-5)
        workers = [t for t in threading.enumerate() if t.name.startswith("kcompile-")]
        assert len([t for t in workers if t in team()._workers]) == count - 1
