"""The command: its options, and a run of two processes from the first to the last line."""

from __future__ import annotations

import json

import pytest

from benchmarks import __main__ as command
from benchmarks.plot import factors
from benchmarks.results import Results
from tests.benchmarks.test_results import results, series


def test_unknown_names_are_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        command.parse(["--only", "digits,mpl"])
    error = capsys.readouterr().err
    assert "unknown: mpl" in error and "mlp128" in error


def test_options():
    options = command.parse(["kernels", "--peers", "torch,numpy", "--rounds", "5", "--python", "/p"])
    assert (options.part, options.peers, options.rounds) == ("kernels", ["torch", "numpy"], 5)
    assert options.python == ["/p"] and options.threads == 2 and not options.quick


def test_who_is_not_installed_is_listed(monkeypatch):
    run = command.Run(command.parse(["--peers", "jax,onnxruntime"]), print)
    monkeypatch.setattr(
        command.environment,
        "find_python",
        lambda modules, pythons: None if "jax" in modules else "python",
    )
    assert [contender.name for contender, _ in run.runners("model")] == ["kcompile", "onnxruntime"]
    assert run.results.missing == ["jax"]


def test_a_quick_run_writes_its_samples(tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(command.environment, "pin", lambda threads: None)
    monkeypatch.setattr(command.Run, "measure_peak", lambda self: self.results.raise_peak({"gflops": 100.0}))
    monkeypatch.setattr(command, "draw", lambda *args: None)
    arguments = ["models", "--only", "digits", "--peers", "onnxruntime", "--threads", "1"]
    assert command.main([*arguments, "--rounds", "2", "--seconds", "0.01", "--out", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("*.json")
    found = Results.load(path)
    assert found.failed == {}
    assert [len(one.values) for one in found.select("digits", "call", ["onnxruntime"])] == [2]
    assert [len(one.values) for one in found.select("digits", "train", ["kcompile"])] == [2]
    assert "onnxruntime" in capsys.readouterr().out
    assert json.loads(path.read_text())["machine"]["cpu"]


def test_an_earlier_run_is_reported_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "draw", lambda *args: None)
    run = results(series("kcompile", (1.0,), task="cnn"), series("torch", (4.0,), "fused", task="cnn"))
    run.missing, run.failed = ["jax"], {"cnn: keras-jax": "ImportError: [gone]"}
    run.save(tmp_path / "r.json")
    command.main(["--from", str(tmp_path / "r.json"), "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "0.25x" in printed and "jax: not installed" in printed and "ImportError: [gone]" in printed


def test_the_plots_base_is_kcompile_or_the_fastest():
    rows = [series("torch", (4.0,)), series("jax", (2.0,))]
    base, found = factors(results(*rows), "t", "train")
    assert base == "jax" and found["torch"].median == 2
    base, found = factors(results(*rows, series("kcompile", (1.0,))), "t", "train")
    assert base == "kcompile" and found["torch"].median == 4


def test_profile_tells_of_the_kernels_of_a_step(capsys, monkeypatch):
    monkeypatch.setattr(command.environment, "pin", lambda threads: None)
    assert command.main(["profile", "--only", "digits", "--threads", "1"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "digits" in line)
    kernels, milliseconds, flops, speed = (float(cell) for cell in row.strip("│ \n").split("│")[1:])
    assert kernels >= 5 and 0 < milliseconds < 100
    assert flops == pytest.approx(0.3, abs=0.2) and speed > 0
