"""onnxruntime runs in a process of its own: where it dies, commands end with one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import kcompile
from kcompile import layers
from kcompile.core import import_path
from kcompile.export.onnx import apart
from kcompile.export.onnx.compare import rows
from tests.cli.cli_tools import call, json_of
from tests.export.onnx_tools import DIES


@pytest.fixture
def new_processes(monkeypatch):
    """None that waits from another test."""
    monkeypatch.setattr(apart, "_idle", [])


def network():
    return kcompile.Sequential([kcompile.Input((None, 3)), layers.Dense(2)])


def written(path, *nodes, dtype=TensorProto.FLOAT16):
    given, result = (
        helper.make_tensor_value_info(name, dtype, shape)
        for name, shape in (("x", ["a", "b", 4]), ("y", ["b", "c", "d"]))
    )
    weights = onnx.numpy_helper.from_array(np.ones((4, 5), "float16"), "w")
    graph = helper.make_graph(list(nodes), "g", [given], [result], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def test_a_file_that_onnxruntime_may_die_of(tmp_path):
    """onnxruntime 1.32 does, when it reads this."""
    turned = helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2])
    path = written(tmp_path / "m.onnx", turned, helper.make_node("MatMul", ["t", "w"], ["y"]))
    command = [sys.executable, "-m", "kcompile", "check", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done
    if done.returncode == 3:
        problem, result = done.stdout.splitlines()
        assert problem == f"problem: onnxruntime dies of {path}, by SIGSEGV" and "not ok" in result
    assert not done.stderr


def test_commands_outlive_onnxruntime(tmp_path, monkeypatch, new_processes):
    monkeypatch.setattr(apart, "SERVE", DIES)
    network().save(saved := tmp_path / "m.keras")
    path = tmp_path / "m.onnx"
    for command in (
        ("export", saved, "-o", path, "--check"),
        ("check", saved, path),
        ("bench", saved, "--onnxruntime", "-b", 1, "--seconds", 0),
    ):
        result = call(*command)
        assert result.exit_code == 1, result.output
        assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1
        assert "onnxruntime dies of" in result.stderr and "SIGABRT" in result.stderr
    onnx.checker.check_model(path, full_check=True)
    assert "SIGABRT" in json_of("check", path, code=3)["problems"][0]


def test_a_process_that_cannot_be_started_is_not_the_files_fault(tmp_path, monkeypatch, new_processes):
    network().export(path := tmp_path / "m.onnx", verbose=False)
    network().save(saved := tmp_path / "m.keras")
    monkeypatch.setattr(apart, "SERVE", "raise SystemExit('two lines:\\nno such library')")
    for files in ((path,), (saved, path)):
        result = call("check", *files)
        assert result.exit_code == 1, result.output
        said = result.output
        assert "could not be started, by exit code 1: no such library" in said and "dies" not in said


def test_a_process_imports_what_this_one_has(tmp_path, monkeypatch, new_processes):
    """Whatever lies in the folder of the moment."""
    network().export(path := tmp_path / "m.onnx", verbose=False)
    (tmp_path / "kcompile").mkdir()
    (tmp_path / "kcompile" / "__init__.py").write_text("raise ImportError('another')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *(p for p in sys.path if os.path.abspath(p) != import_path.ROOT)])
    with apart.session(path) as session:
        assert session.run([np.ones((1, 2, 3), "float32")])[0].shape == (1, 2, 2)


def test_it_is_told_with_what_onnxruntime_dies(tmp_path, monkeypatch, new_processes):
    """Here in the call for three samples; what was found before is shown."""
    network().export(path := tmp_path / "m.onnx", verbose=False)
    run = apart.Apart.run

    def dies(self, arrays):
        if next(iter(arrays.values())).shape[0] == 3:
            self._process.send_signal(signal.SIGKILL)
        return run(self, arrays)

    monkeypatch.setattr(apart.Apart, "run", dies)
    found = json_of("check", path, code=3)
    assert [row["batch"] for row in found["batches"]] == [1]
    assert "SIGKILL (batch 3, open dimensions of size 32)" in found["problems"][0]
    monkeypatch.undo()
    assert json_of("check", path)["ok"]


def test_a_process_is_used_again_but_not_after_it_was_left(tmp_path, new_processes):
    network().export(path := tmp_path / "m.onnx", verbose=False)
    with apart.session(path) as session:
        first = session._process
        with apart.session(path) as other:
            assert other._process is not first
    with apart.session(path) as session, pytest.raises(Exception, match="[Ii]nput"):
        assert session._process is first
        session.run({})
    with pytest.raises(ZeroDivisionError), apart.session(path):
        raise ZeroDivisionError
    assert first.poll() is not None
    with apart.session(path) as session:
        assert session._process is other._process


def test_a_process_ends_with_the_one_that_asks():
    process = apart._started()
    process.communicate(timeout=60)  # closes its input
    assert process.returncode == 0


def test_arrays_of_bfloat16_and_text_go_to_and_fro(tmp_path):
    cast = helper.make_node("Identity", ["x"], ["y"])
    path = written(tmp_path / "m.onnx", cast, dtype=TensorProto.BFLOAT16)
    given = np.arange(8).reshape(2, 1, 4).astype(ml_dtypes.bfloat16)
    with apart.session(path) as session:
        (found,) = session.run([given])
    assert found.dtype == given.dtype and (found == given).all()
    path = written(tmp_path / "m.onnx", cast, dtype=TensorProto.STRING)
    given = np.array([[["é", "", "a b", "c"]]], object)
    with apart.session(path) as session:
        (found,) = session.run({"x": given})
    assert found.tolist() == given.tolist()


def test_two_calls_are_made_of_models_that_keep_nothing(tmp_path, monkeypatch):
    """Memory of the first may be what the second one finds."""
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2)])
    model.export(path := tmp_path / "m.onnx", verbose=False)
    run, given = apart.Apart.run, []

    def noting(self, arrays):
        given.append(next(iter(arrays.values())))
        return run(self, arrays)

    monkeypatch.setattr(apart.Apart, "run", noting)
    assert rows(model, path, batches=(2,), timed=False)[0].difference < 1e-6
    first, second = given
    assert (first != second).all()
