"""`keras.utils.set_random_seed` gives the same bits in every process and for every number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kcompile as keras
from kcompile.runtime import program
from tests.training import seeded

pytestmark = pytest.mark.compiled


@pytest.fixture(autouse=True)
def shared_out(monkeypatch):
    monkeypatch.setattr(program, "SMALL_WORK", 0)
    before = keras.get_num_threads()
    yield
    keras.set_num_threads(before)


def in_a_process(names, **environment):
    """What a new interpreter finds: its number of threads, and a digest of each model."""
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), **environment}
    command = [sys.executable, "-m", "tests.training.seeded", *names]
    said = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    count, *digests = said.stdout.split()
    return int(count), digests


@pytest.mark.parametrize("name", seeded.MODELS)
def test_threads_do_not_change_a_bit(name):
    found = set()
    for threads in (1, 2, 3):
        keras.set_num_threads(threads)
        found.add(seeded.digest(name))
    assert len(found) == 1


def test_another_seed_is_another_training(monkeypatch):
    first = seeded.digest("cnn")
    original = keras.utils.set_random_seed
    monkeypatch.setattr(keras.utils, "set_random_seed", lambda seed: original(seed + 1))
    assert seeded.digest("cnn") != first


@pytest.mark.slow
def test_processes_do_not_change_a_bit():
    names = list(seeded.MODELS)
    here = [seeded.digest(name) for name in names]
    assert in_a_process(names, KCOMPILE_NUM_THREADS="1", PYTHONHASHSEED="1") == (1, here)
    assert in_a_process(names, OMP_NUM_THREADS="1", SET_NUM_THREADS="3", PYTHONHASHSEED="2") == (3, here)
    assert in_a_process(names, KCOMPILE_NUM_THREADS="2", PYTHONHASHSEED="3") == (2, here)


@pytest.mark.slow
def test_a_cold_cache_does_not_change_a_bit(tmp_path):
    environment = {"KCOMPILE_CACHE_DIR": str(tmp_path / "cold"), "KCOMPILE_NUM_THREADS": "2"}
    assert in_a_process(["augmented"], **environment)[1] == [seeded.digest("augmented")]
