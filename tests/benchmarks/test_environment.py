"""Interpreters, cores and the environment of a contender."""

from __future__ import annotations

import os
import sys

import pytest

from benchmarks import environment
from benchmarks.contenders import CONTENDERS


def test_every_library_is_told_the_threads_in_its_own_words():
    found = environment.child_environment(CONTENDERS["model"]["keras-jax"], 3)
    assert found["KERAS_BACKEND"] == "jax"
    assert {found[name] for name in ("OMP_NUM_THREADS", "NPROC", "KCOMPILE_NUM_THREADS")} == {"3"}
    assert found["PATH"] == os.environ["PATH"]


def test_siblings_of_a_core_come_last(tmp_path):
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings)
    assert environment.one_thread_per_core([0, 2, 3], tmp_path) == [0, 3, 2]
    assert environment.one_thread_per_core([0, 2, 3], tmp_path / "unknown") == [0, 2, 3]


def test_more_threads_than_cores_are_refused():
    with pytest.raises(ValueError, match="--threads"):
        environment.pin(10_000)


def test_interpreters_are_tried_in_turn(monkeypatch):
    monkeypatch.setenv("KCOMPILE_BENCH_PYTHON", os.pathsep.join(["/other/python", ""]))
    pythons = environment.interpreters(["/given/python"])
    assert pythons == [sys.executable, "/given/python", "/other/python"]
    assert environment.find_python(("json", "numpy"), pythons[:1]) == sys.executable
    assert environment.find_python(("json", "no_such_module"), pythons[:1]) is None


def test_the_machine_has_a_name(tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text("processor : 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: Some CPU\n")
    assert environment._cpu_name(info) == "Some CPU (family 26, model 2)"
    assert environment._cpu_name(tmp_path / "none")
