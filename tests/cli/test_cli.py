"""The command line: what it prints, the errors it gives, and what it does not import."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import kcompile
from kcompile.cli import COMMANDS, devices
from tests.cli.cli_tools import call, fails


def test_help_lists_every_command():
    output = call("--help").output
    for name, line in COMMANDS.items():
        assert name in output
        assert line in output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    result = call(name, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {name}")


def test_help_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from kcompile.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n    print({'numba', 'llvmlite', 'onnx', 'h5py', 'numpy'} & set(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert output.splitlines()[-1] == "set()"


def test_version():
    assert call("--version").output == f"kcompile, version {kcompile.__version__}\n"


def test_misspelt_command_names_the_near_one():
    assert "hint: did you mean 'export'" in fails("exprot")


@pytest.mark.parametrize("command", ["export", "explain"])
def test_model_that_is_not_there_or_no_model(command, tmp_path):
    assert "there is no file" in fails(command, tmp_path / "m.keras")
    (tmp_path / "m.txt").write_text("x")
    assert "not a .keras" in fails(command, tmp_path / "m.txt")
    (tmp_path / "m.keras").write_bytes(b"not a zip file")
    assert "could not be loaded" in fails(command, tmp_path / "m.keras")


def test_cache_info_and_clear(tmp_path, monkeypatch):
    monkeypatch.setenv("KCOMPILE_CACHE_DIR", str(tmp_path / "objects"))
    from kcompile.runtime.cache import default_cache

    default_cache().put("key", b"object code")
    output = call("cache", "info").output
    assert str(tmp_path / "objects") in output
    assert "files   1\n" in output
    assert call("cache", "clear").output == "1 files deleted.\n"
    assert list((tmp_path / "objects").iterdir()) == []


def test_cache_that_is_off(monkeypatch):
    monkeypatch.setenv("KCOMPILE_CACHE", "0")
    assert call("cache", "info").output == "The cache is off.\n"


def test_devices(monkeypatch):
    output = call("devices", "--peak").output
    assert "GFLOP/s" in output
    assert "cuda" in output
    monkeypatch.setattr(devices, "find_spec", lambda name: object())  # as if the extra were installed
    assert "not installed" not in call("devices").output


def test_export_writes_what_the_model_computes(model_file, tmp_path):
    import onnxruntime

    target = tmp_path / "m.onnx"
    result = call("export", model_file, "-o", target, "--check")
    assert result.exit_code == 0, result.output
    assert "onnxruntime agrees" in result.output
    x = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
    session = onnxruntime.InferenceSession(target)
    [y] = session.run(None, {session.get_inputs()[0].name: x})
    expected = kcompile.saving.load_model(model_file).predict(x, verbose=0)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)  # the bound that export promises


def test_export_takes_an_opset(model_file, tmp_path):
    import onnx

    assert call("export", model_file, "-o", tmp_path / "m.onnx", "--opset", 17).exit_code == 0
    assert onnx.load(tmp_path / "m.onnx").opset_import[0].version == 17
    assert "Error" in fails("export", model_file, "-o", tmp_path / "n.onnx", "--opset", 9999)
    assert not (tmp_path / "n.onnx").exists()


def test_explain_shows_kernels(model_file):
    result = call("explain", model_file)
    assert result.exit_code == 0, result.output
    assert "matmul" in result.output
