"""Commands about the machine: doctor, devices, cache; completion of a shell."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kcompile.cli import doctor
from tests.cli.cli_tools import call, json_of

VARIABLE = "_kcompile_complete".upper()  # what click looks for; no setting of the library


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KCOMPILE_CACHE_DIR", str(tmp_path / "objects"))
    for name in ("KCOMPILE_CACHE", "KCOMPILE_VERIFY", "KCOMPILE_CHECK", "KCOMPILE_NOOPT", "KCOMPILE_DUMP"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "objects"


@pytest.fixture
def all_cores(monkeypatch):
    """As if the team used every core; tests may run with fewer."""
    from kcompile.kernels.host import host
    from kcompile.runtime import profile

    monkeypatch.setattr(profile, "threads", lambda: host().cores)


def test_doctor_says_what_the_machine_offers(own_cache, all_cores):
    found = json_of("doctor")
    assert found["problems"] == []
    assert found["cpu"]["cores"] >= 1
    assert found["cpu"]["vector_bits"] in (128, 256, 512)
    assert all(row["gflops"] > 0 and row["gbytes_per_second"] > 0 for row in found["peak"])
    assert found["cache"]["folder"] == str(own_cache)
    assert found["packages"]["numpy"]
    assert found["trial_us"] > 0
    output = call("doctor", "--no-peak").output
    assert output.endswith("nothing is wrong\n")
    assert "GFLOP/s" not in output


def test_doctor_names_what_is_wrong(own_cache, all_cores, monkeypatch):
    monkeypatch.setenv("KCOMPILE_NOOPT", "1")
    monkeypatch.setenv("KCOMPILE_CACHE", "0")
    result = call("doctor", "--no-peak")
    assert result.exit_code == 3
    assert "wrong     KCOMPILE_NOOPT is set" in result.output
    assert "KCOMPILE_CACHE=0" in result.output


def test_doctor_on_a_cache_folder_that_others_may_write(own_cache, all_cores):
    from kcompile.runtime import cache

    cache._cache_at.cache_clear()
    own_cache.mkdir()
    own_cache.chmod(0o777)
    found = json_of("doctor", "--no-peak", code=3)
    assert any("others may write" in problem for problem in found["problems"])


def test_doctor_without_a_package(own_cache, monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "no_such_package_at_all"))
    found = json_of("doctor", "--no-peak", code=3)
    assert found["problems"] == ["no_such_package_at_all is not installed"]
    monkeypatch.setattr(doctor, "OPTIONAL", {"no_such_package_at_all": "check"})
    assert 'pip install "kcompile[check]"' in call("doctor", "--no-peak").output


def test_doctor_when_compiling_fails(own_cache, all_cores, monkeypatch):
    from kcompile.models.sequential import Sequential

    def fail(*args, **kwargs):
        raise RuntimeError("no linker")

    monkeypatch.setattr(Sequential, "__call__", fail)
    found = json_of("doctor", "--no-peak", code=3)
    assert found["problems"] == ["a small model does not compile: RuntimeError: no linker"]


def test_devices_and_cache_for_machines(own_cache):
    assert json_of("devices")["cores"] >= 1
    found = json_of("cache", "info")
    assert found["folder"] == str(own_cache)
    assert json_of("cache", "clear") == {"deleted": found["files"]}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    output = call("completion", shell).output
    assert VARIABLE in output
    assert f"{shell}_complete" in output


def test_completion_completes_commands_and_options():
    def complete(words: str, at: int) -> list[str]:
        program = "from kcompile.cli import main; main(prog_name='kcompile')"
        extra = {VARIABLE: "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env=os.environ | extra,
            check=False,
        )
        return [line.split(",")[-1] for line in done.stdout.splitlines()]

    assert complete("kcompile ex", 1) == ["explain", "export"]
    assert "--fold-batch-norm" in complete("kcompile export --", 2)
    assert complete("kcompile plot --direction ", 3) == ["TB", "BT", "LR", "RL"]
