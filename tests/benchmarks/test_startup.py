"""Measurements of fresh processes: real ones of the standard library, and the order of the rounds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import memory, startup
from benchmarks.contenders import Contender

ROOT = Path(__file__).resolve().parents[2]
THREADS = 1


def runner(name, **fields):
    return Contender(name, "none", "colorsys", (), **fields), sys.executable


def test_import_of_a_real_module():
    assert 0 < startup.import_ms(runner("a"), THREADS) < 1000


def test_a_failing_process_says_why():
    contender = Contender("a", "none", "no_such_module", ())
    with pytest.raises(RuntimeError, match="No module named 'no_such_module'"):
        startup.import_ms((contender, sys.executable), THREADS)


def test_cold_has_an_empty_cache_and_warm_the_same_one(monkeypatch):
    seen = []

    def run(command, contender, threads, extra=None):
        if not extra:
            return "0.25"
        (folder,) = extra.values()
        assert list(extra) == ["SOME_CACHE"]
        marker = startup.Path(folder) / "object"
        seen.append(marker.exists())
        marker.touch()
        return "1e12 10 5"

    monkeypatch.setattr(startup, "_run", run)
    contenders = [runner("a", cache=("SOME_CACHE",)), runner("b", trains=False)]
    outcome = startup.measure_startup("cnn", contenders, THREADS, 2, lambda text: None)
    assert seen == [False, True, False, True]
    measured = {(one.contender, one.measure): one for one in outcome.series}
    assert measured.keys() == {("a", "import"), ("a", "first_cold"), ("a", "first_warm"), ("b", "import")}
    assert measured["b", "import"].values == (250.0, 250.0)


def test_who_fails_is_left_out_of_later_rounds(monkeypatch):
    calls = []

    def run(command, contender, threads, extra=None):
        calls.append(contender.name)
        raise RuntimeError("long story\nthe end")

    monkeypatch.setattr(startup, "_run", run)
    outcome = startup.measure_startup("cnn", [runner("a")], THREADS, 3, lambda text: None)
    assert calls == ["a"] and outcome.failed == {"cnn, start: a": "the end"} and outcome.series == []


def test_memory_of_trainers_only(monkeypatch):
    monkeypatch.setattr(startup, "_run", lambda *args: "1.0 321.5 300")
    contenders = [runner("a"), runner("b", trains=False)]
    outcome = memory.measure_memory("cnn", contenders, THREADS, lambda text: None)
    found = [(one.contender, one.measure, one.values) for one in outcome.series]
    assert found == [("a", "memory", (321.5,)), ("a", "memory_beyond", (21.5,))]


def in_a_process_of_its_own(program):
    """The numbers that it prints; this one may be large, and peaked long ago."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [float(number) for number in done.stdout.split()]


FREES_64_MB = """
import numpy as np
from benchmarks import fresh

block = np.ones((64, 2**20), np.uint8)
del block
print(fresh.resident_megabytes(), fresh.peak_megabytes())
"""


def test_peak_memory_remembers_what_was_freed():
    resident, peak = in_a_process_of_its_own(FREES_64_MB)
    assert 32 < peak - resident < 90


TAKES_64_MB = """
from types import SimpleNamespace
import numpy as np
from benchmarks import fresh
from benchmarks.contenders import Contender

held = []
session = SimpleNamespace(
    variants=lambda measure: ("only",),
    runner=lambda measure, variant: lambda: held.append(np.ones((64, 2**20), np.uint8)),
)
fresh.CONTENDERS["model"]["a"] = Contender("a", "none", "colorsys", ())
fresh.import_module = lambda name: SimpleNamespace(open_session=lambda *args: session)
fresh.main("a", "cnn", "1", "memory")
"""


def test_memory_beyond_the_import_is_what_the_process_took_later():
    _, peak, imported = in_a_process_of_its_own(TAKES_64_MB)
    assert imported > 0 and 60 < peak - imported < 90
