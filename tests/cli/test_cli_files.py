"""Commands that read models: summary, check, bench, plot, export's options; JSON, exit codes, errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest

import kcompile
from kcompile import layers
from kcompile.cli import COMMANDS
from tests.cli.cli_tools import call, fails, json_of

READERS = ("bench", "check", "explain", "export", "plot", "summary")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_name_it(name):
    output = call(name, "--help").output
    assert "Examples:" in output
    assert f"kcompile {name}" in output.split("Examples:")[1]


@pytest.mark.parametrize("name", READERS)
def test_user_mistakes_are_one_line_and_have_their_exit_codes(name, tmp_path):
    result = call(name, tmp_path / "none.keras")
    assert result.exit_code == 2
    assert result.output.splitlines()[-1].startswith("Error: Invalid value for 'MODEL': there is no file")
    (tmp_path / "bad.keras").write_bytes(b"not a zip file")
    result = call(name, tmp_path / "bad.keras")
    assert result.exit_code == 1
    [line] = result.output.splitlines()
    assert line.startswith("Error: ")
    assert "bad.keras" in line
    assert "is a folder" in fails(name, tmp_path)


# --- summary ------------------------------------------------------------------------------------------------


def test_summary_of_a_model(model_file):
    output = call("summary", model_file, "--trainable").output
    assert "Total params: 43" in output
    assert "Trainable" in output
    found = json_of("summary", model_file)
    assert (found["parameters"], found["trainable"], found["compiled"]) == (43, 43, False)
    assert [(x["class"], x["output_shape"], x["parameters"]) for x in found["layers"]] == [
        ("Dense", [None, 4], 28), ("Dense", [None, 3], 15),
    ]  # fmt: skip


def test_summary_of_h5(tmp_path):
    model = kcompile.Sequential([kcompile.Input((6,)), layers.Dense(2)])
    model.save(tmp_path / "m.h5")
    assert json_of("summary", tmp_path / "m.h5")["parameters"] == 14


def test_summary_of_an_onnx_file(onnx_file):
    output = call("summary", onnx_file).output
    assert "numbers: float32 (batch, 6)" in output
    assert "made by  kcompile" in output
    found = json_of("summary", onnx_file)
    assert found["numbers"] == 43
    assert found["bytes"] == 4 * 43
    assert found["operators"]["Gemm"] == 2
    assert found["inputs"] == [{"name": "numbers", "dtype": "float32", "shape": ["batch", 6]}]
    assert found["opsets"] == {"ai.onnx": 20}


def test_files_that_are_no_onnx(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"\xff\xff not a protocol buffer")
    told = fails("summary", tmp_path / "m.onnx")
    assert "is no ONNX file" in told and told.count("m.onnx") == 1
    (tmp_path / "m.onnx").write_bytes(b"")
    assert "is no ONNX file" in fails("check", tmp_path / "m.onnx")


# --- check --------------------------------------------------------------------------------------------------


def test_check_a_model(model_file):
    result = call("check", model_file)
    assert result.exit_code == 0, result.output
    assert result.output.endswith("ok\n")
    found = json_of("check", model_file)
    assert found["ok"]
    assert [row["batch"] for row in found["batches"]] == [1, 3, 17]
    assert all(row["difference"] < 1e-5 for row in found["batches"])


def test_check_finds_wrong_compiled_numbers(model_file, monkeypatch):
    from kcompile.models.sequential import Sequential

    honest = Sequential.__call__

    def wrong(self, *args, **kwargs):
        found = honest(self, *args, **kwargs)
        return found + np.float32(0.01) if isinstance(found, np.ndarray) else found

    monkeypatch.setattr(Sequential, "__call__", wrong)
    found = json_of("check", model_file, code=3)
    assert len(found["problems"]) == 3
    assert "apart" in found["problems"][0]


def test_check_finds_weights_that_are_not_finite(tmp_path):
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2, name="broken")])
    model.set_weights([np.full((3, 2), np.nan, "float32"), np.zeros(2, "float32")])
    model.save(tmp_path / "m.keras")
    result = call("check", tmp_path / "m.keras")
    assert result.exit_code == 3
    assert "broken/kernel has NaN" in result.output


def test_check_a_model_and_its_export(model_file, onnx_file, tmp_path):
    assert json_of("check", model_file, onnx_file)["ok"]
    other = kcompile.Sequential([kcompile.Input((6,)), layers.Dense(3)])
    other.export(tmp_path / "other.onnx", verbose=False)
    found = json_of("check", model_file, tmp_path / "other.onnx", code=3)
    assert len(found["problems"]) == 3
    assert call("check", onnx_file, model_file).exit_code == 2
    assert call("check", model_file, model_file).exit_code == 2


def test_check_an_onnx_file(onnx_file, tmp_path):
    found = json_of("check", onnx_file)
    assert found["ok"]
    assert all(row["onnxruntime_us"] > 0 for row in found["batches"])
    broken = onnx.load(onnx_file)
    broken.graph.node[0].input[0] = "nobody"
    onnx.save(broken, tmp_path / "broken.onnx")
    found = json_of("check", tmp_path / "broken.onnx", code=3)
    assert "nobody" in found["problems"][0]


# --- bench and explain --------------------------------------------------------------------------------------


def test_bench(model_file):
    found = json_of("bench", model_file, "-b", 2, "-b", 5, "--seconds", 0.01, "--onnxruntime")
    assert [row["batch"] for row in found["batches"]] == [2, 5]
    for row in found["batches"]:
        assert row["onnxruntime_us"] > 0
        assert row["samples_per_second"] == pytest.approx(row["batch"] * 1e6 / row["kcompile_us"])
    output = call("bench", model_file, "-b", 4, "--seconds", 0).output
    assert len(output.splitlines()) == 2
    assert "onnxruntime" not in output
    assert call("bench", model_file, "-b", 0).exit_code == 2


def test_explain_for_machines(model_file, tmp_path):
    found = json_of("explain", model_file, "--batch-size", 4)
    assert list(found["programs"]) == ["predict"]
    assert found["programs"]["predict"][0]["flops"] > 0
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.save(tmp_path / "compiled.keras")
    assert list(json_of("explain", tmp_path / "compiled.keras")["programs"]) == ["predict", "train"]


# --- plot ---------------------------------------------------------------------------------------------------


def test_plot(model_file, tmp_path, monkeypatch):
    result = call("plot", model_file, "-o", tmp_path / "m.svg", "--direction", "LR", "--activations")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "m.svg").read_text()
    assert "activation: softmax" in text
    assert "(None, 3)" in text
    found = json_of("plot", model_file, "-o", tmp_path / "m.dot", "--no-shapes")
    assert found == {"file": str(tmp_path / "m.dot"), "bytes": (tmp_path / "m.dot").stat().st_size}
    assert "(None, 3)" not in (tmp_path / "m.dot").read_text()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "hint: a .svg file needs nothing" in fails("plot", model_file, "-o", tmp_path / "m.png")
    assert not (tmp_path / "m.png").exists()


# --- export -------------------------------------------------------------------------------------------------


def test_export_check_tells_differences_and_latency(model_file, tmp_path):
    found = json_of("export", model_file, "-o", tmp_path / "m.onnx", "--check")
    assert found["agrees"]
    assert found["largest_difference"] < 1e-5
    assert [row["batch"] for row in found["batches"]] == [1, 3, 17]
    assert all(row["onnxruntime_us"] > 0 and row["kcompile_us"] > 0 for row in found["batches"])
    assert found["bytes"] == (tmp_path / "m.onnx").stat().st_size


def test_export_check_that_fails_ends_with_3(model_file, tmp_path, monkeypatch):
    from kcompile.export.onnx import compare

    for apart, said in ((0.5, "5.0e-01"), (float("inf"), "shapes, dtypes or NaNs")):
        monkeypatch.setattr(compare, "difference", lambda a, b, apart=apart: apart)
        result = call("export", model_file, "-o", tmp_path / "m.onnx", "--check")
        assert result.exit_code == 3
        assert said in result.output
    assert json_of("export", model_file, "-o", tmp_path / "m.onnx", "--check", code=3)["agrees"] is False


def test_export_check_without_onnxruntime(model_file, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    assert "--check needs onnxruntime" in fails("export", model_file, "-o", tmp_path / "m.onnx", "--check")


def test_export_options(tmp_path):
    model = kcompile.Sequential(
        [kcompile.Input((None, 3), name="x"), layers.Conv1D(40, 2), layers.BatchNormalization()]
    )
    model.save(tmp_path / "m.keras")
    target = tmp_path / "m.onnx"
    options = ("--fold-batch-norm", "--external-data", "--input-signature", "x=float32[batch, time, 3]")
    result = call("export", tmp_path / "m.keras", "-o", target, *options)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "m.onnx.data").exists()
    found = json_of("summary", target)
    assert "BatchNormalization" not in found["operators"]
    assert found["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["batch", "time", 3]}]


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        ("float32", "is not like"),
        ("float32[?,2-3]", "is no dimension"),
        ("float32[4,6]", "the batch"),
        ("flot32[?,6]", "flot32"),
        ("float32[?,5]", "5"),
        ("float32[?]", "Expected shape (None, 6)"),
        ("number=float32[?,6]", "there is no input 'number'; the model's input is 'numbers'"),
    ],
)
def test_wrong_signatures(model_file, tmp_path, signature, said):
    result = call("export", model_file, "-o", tmp_path / "m.onnx", "--input-signature", signature)
    assert result.exit_code == 2 and said in result.output and result.output.count("\n") == 1
    twice = ("--input-signature", "float32[?,6]") * 2
    assert "the model has 1 input, not 2" in fails("export", model_file, "-o", tmp_path / "m.onnx", *twice)
    assert list(tmp_path.iterdir()) == []


def test_export_into_a_folder_that_is_not_there(model_file, tmp_path):
    for name, option in (("export", "-o"), ("plot", "-o"), ("explain", "--html")):
        result = call(name, model_file, option, tmp_path / "none" / "file")
        assert result.exit_code == 2
        assert f": there is no folder '{tmp_path / 'none'}' (see main {name}" in result.output


@pytest.mark.parametrize("opset", [1, 12, 99])
def test_opsets_that_there_are_not(model_file, tmp_path, opset):
    result = call("export", model_file, "-o", tmp_path / "m.onnx", "--opset", opset)
    assert result.exit_code == 2
    assert f"ONNX opset {opset} is not supported. expected: 13 to" in result.output.splitlines()[-1]


def test_export_tells_what_the_file_holds(model_file, tmp_path):
    larger = kcompile.Sequential([kcompile.Input((60,), name="x"), layers.Dense(5)])
    larger.save(tmp_path / "larger.keras")
    command = ("export", tmp_path / "larger.keras", "-o", tmp_path / "l.onnx", "--external-data")
    lines = call(*command).output.splitlines()
    assert lines[0].endswith("opset 20, 1 nodes")
    assert lines[1] == f"{tmp_path / 'l.onnx.data'}: 1,200 bytes of weights; keep both files together"
    assert lines[2] == "inputs   x: float32 (batch, 60)"
    found = json_of("export", model_file, "-o", tmp_path / "m.onnx", "--opset", 13)
    assert (found["opset"], found["nodes"], "data" in found) == (13, 4, False)
    assert found["inputs"] == [{"name": "numbers", "dtype": "float32", "shape": ["batch", 6]}]


def test_a_model_over_text(tmp_path):
    """Checked and explained behind the text; exported with it."""
    path = tmp_path / "text.keras"
    kcompile.Sequential(
        [
            kcompile.Input((), dtype="string", name="text"),
            layers.TextVectorization(vocabulary=["a", "b"], standardize=None),
            layers.Embedding(9, 3),
            layers.GlobalMaxPooling1D(),
        ]
    ).save(path)
    assert json_of("check", path)["ok"]
    assert json_of("explain", path, "--batch-size", 2)["programs"]["predict"]
    found = json_of("export", path, "-o", tmp_path / "m.onnx", "--input-signature", "text=string[lines]")
    assert found["inputs"] == [{"name": "text", "dtype": "string", "shape": ["lines"]}]
    found = json_of("export", path, "-o", tmp_path / "m.onnx")
    assert found["inputs"] == [{"name": "text", "dtype": "string", "shape": ["batch"]}]
    assert json_of("check", path, tmp_path / "m.onnx")["ok"]
    assert json_of("check", tmp_path / "m.onnx")["ok"]


@pytest.mark.parametrize("command", ["check", "explain"])
def test_a_model_that_makes_text_has_no_compiled_part(command, tmp_path):
    path = tmp_path / "words.keras"
    word = layers.StringLookup(vocabulary=["a", "b"], invert=True)
    kcompile.Sequential([kcompile.Input((1,), dtype="int64"), word]).save(path)
    result = call(command, path)
    assert (result.exit_code, len(result.output.splitlines())) == (1, 1)
    assert "can take text, but not make any" in result.output


def test_warnings_are_lines_of_their_own(tmp_path, monkeypatch):
    """Without the source of the library, and apart from the answer."""
    import warnings

    from kcompile.cli import model_file

    def load(path):
        warnings.warn("The state is not loaded.", stacklevel=2)
        return kcompile.Sequential([kcompile.Input((2,)), layers.Dense(1)])

    monkeypatch.setattr("kcompile.saving.load_model", load)
    assert model_file.load
    (tmp_path / "m.keras").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        result = call("summary", tmp_path / "m.keras")
    assert result.exit_code == 0
    assert result.stderr == "Warning: The state is not loaded.\n"


# --- inspect ------------------------------------------------------------------------------------------------


def test_inspect_for_machines(model_file):
    text = call("inspect", model_file).output
    assert json.dumps(text.splitlines()) == json.dumps(json_of("inspect", model_file)["lines"])


def test_explain_as_a_page(model_file, tmp_path):
    page = tmp_path / "report.html"
    result = call("explain", model_file, "--html", page)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{page}: ") and page.read_text().startswith("<!doctype html>")
    told = json_of("explain", model_file, "--html", page)
    assert told["html"] == str(page) and told["programs"]["predict"]


def test_export_replaces_files_only(model_file, tmp_path):
    """Written as root to /dev/null, a file would take its place."""
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in fails("export", model_file, "-o", tmp_path / "pipe")
    assert not (tmp_path / "pipe").is_file()


def test_a_signature_without_a_name_keeps_the_models(model_file, tmp_path):
    target = tmp_path / "m.onnx"
    found = json_of("export", model_file, "-o", target, "--input-signature", "float32[rows,6]")
    assert [(t["name"], t["shape"]) for t in found["inputs"]] == [("numbers", ["rows", 6])]


def test_a_model_that_was_never_built_takes_a_signature(tmp_path):
    kcompile.Sequential([layers.Dense(2)]).save(tmp_path / "m.keras")
    target = tmp_path / "m.onnx"
    assert "no known input shape" in fails("export", tmp_path / "m.keras", "-o", target)
    found = json_of(
        "export", tmp_path / "m.keras", "-o", target, "--input-signature", "x=float32[?,5]", "--check"
    )
    assert found["agrees"] and found["inputs"][0]["shape"] == ["batch", 5]


def test_a_wrong_environment_is_one_line(model_file):
    done = subprocess.run(
        [sys.executable, "-m", "kcompile", "summary", str(model_file)],
        env=os.environ | {"KCOMPILE_NUM_THREADS": "many"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: The environment variable KCOMPILE_NUM_THREADS must be a whole number. Received: 'many'"
    ]


def test_a_terminal_without_a_width(model_file, monkeypatch):
    monkeypatch.setenv("COLUMNS", "0")
    assert "dense" in call("summary", model_file).output


@pytest.fixture(scope="module")
def two_inputs(tmp_path_factory):
    """A saved model of the inputs a and b."""
    path = tmp_path_factory.mktemp("two") / "m.keras"
    a, b = layers.Input((4,), name="a"), layers.Input((6,), name="b")
    kcompile.Model({"a": a, "b": b}, layers.Concatenate()([a, b])).save(path)
    return path


def signatures(*given):
    return [word for one in given for word in ("--input-signature", one)]


@pytest.mark.parametrize("given", [("b=float32[rows,6]", "a=float32[rows,4]"),
                                   ("b=float32[rows,6]", "float32[rows,4]"),
                                   ("float32[rows,4]", "float32[rows,6]")])  # fmt: skip
def test_signatures_that_name_the_models_inputs_come_in_any_order(two_inputs, tmp_path, given):
    found = json_of("export", two_inputs, "-o", tmp_path / "m.onnx", *signatures(*given))
    assert [(t["name"], t["shape"]) for t in found["inputs"]] == [("a", ["rows", 4]), ("b", ["rows", 6])]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("b=float32[?,6]", "c=float32[?,4]"), "there is no input 'c'; the model's inputs are 'a', 'b'"),
        (("b=float32[?,6]", "b=float32[?,4]"), "the input 'b' is given twice"),
        (("b=float32[?,6]",), "the model has 2 inputs, not 1"),
    ],
)
def test_signatures_of_inputs_that_there_are_not(two_inputs, tmp_path, given, said):
    result = call("export", two_inputs, "-o", tmp_path / "m.onnx", *signatures(*given))
    assert result.exit_code == 2 and said in result.output
    assert list(tmp_path.iterdir()) == []
