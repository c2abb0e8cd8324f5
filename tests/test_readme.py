"""What README and docs say: the example runs, the commands exist, the settings are all told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import kcompile
from kcompile.core.config import Config
from kcompile.datasets import mnist

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    return re.findall(r"^    (python3 -m venv .+)$", README, re.MULTILINE)


def test_each_command_sets_everything_up():
    train, test = commands()
    for command in (train, test):
        assert re.match(r'python3 -m venv \.venv && \.venv/bin/pip install -e "\.\[\w+\]" && ', command)
    assert "examples/mnist_cnn.py --export" in train
    assert test.endswith(" && .venv/bin/pytest -n 2")


def test_ci_runs_the_test_command():
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"sed -n 's/(\^.+\$)/\\1/p' README.md", script)[1]
    found = subprocess.run(
        ["sed", "-n", rf"s/{pattern}/\1/p", "README.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines() == [commands()[1]]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_links_lead_somewhere():
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_first_screen_holds_the_benchmark():
    first_screen = README.splitlines()[:60]
    assert "<!-- benchmark:begin -->" in first_screen
    assert "<!-- benchmark:end -->" in first_screen


@pytest.mark.slow
def test_example_of_the_readme(monkeypatch, tmp_path):
    """Word for word, on a tenth of the subset and for two epochs."""
    [code] = re.findall(r"```python\n(.+?)```", README, re.DOTALL)
    (x_train, y_train), (x_test, y_test) = mnist.load_subset()
    monkeypatch.setattr(
        mnist, "load_data", lambda: ((x_train[::5], y_train[::5]), (x_test[::5], y_test[::5]))
    )
    monkeypatch.chdir(tmp_path)
    kcompile.utils.set_random_seed(1)
    namespace: dict = {}
    exec(code.replace("epochs=12", "epochs=2"), namespace)
    assert namespace["model"].history.history["val_accuracy"][-1] > 0.8
    assert (tmp_path / "mnist_cnn.onnx").stat().st_size > 4_000_000  # 1.2 million float32 weights


@pytest.mark.slow
def test_example_program(tmp_path):
    """As the README's first command runs it, on the subset and for one epoch."""
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "mnist_cnn.py",
            "--subset",
            *("--epochs", "1", "--seed", "1", "--export", "m.onnx"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10000 training images, 2000 test images" in done.stdout
    assert "Total params: 1,199,882" in done.stdout
    assert float(re.search(r"Test accuracy: ([\d.]+)", done.stdout)[1]) > 0.85
    assert float(re.search(r"differ by at most ([\de.-]+)", done.stdout)[1]) < 1e-5


def test_example_falls_back_on_the_subset(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KCOMPILE_HOME", str(tmp_path))

    def no_network(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr("kcompile.utils.downloads.urlopen", no_network)
    namespace: dict = {"__name__": "example"}
    exec((ROOT / "examples" / "mnist_cnn.py").read_text(), namespace)
    x_train, y_train, x_test, y_test = namespace["load_digits"](subset=False)
    assert "Going on with the subset" in capsys.readouterr().out
    assert (x_train.shape, x_train.dtype, y_train.shape) == ((10000, 28, 28, 1), np.float32, (10000, 10))
    assert (x_test.shape, y_test.shape, x_test.max()) == ((2000, 28, 28, 1), (2000, 10), 1.0)


def test_every_setting_is_documented_and_every_documented_one_exists():
    documented = set(re.findall(r"`(KCOMPILE_[A-Z_]+)`", (ROOT / "docs" / "environment.md").read_text()))
    folders = ("kcompile", "kernels", "benchmarks", "tests")
    code = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    used = {name for path in code for name in re.findall(r"(?<!_)KCOMPILE_[A-Z_]+[A-Z]", path.read_text())}
    used |= {f"KCOMPILE_{field.name.upper()}" for field in fields(Config)}
    used -= {"KCOMPILE_X"}  # stands for any setting in a docstring
    assert used == documented
