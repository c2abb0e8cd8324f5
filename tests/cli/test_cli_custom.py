"""--import FILE.py, "-o -", mistakes in one line, and files that a command leaves beside its result."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import onnx
import pytest

import kcompile
from kcompile import layers
from kcompile.cli.custom import _own
from tests.cli.cli_tools import call, fails, json_of

CODE = '''
import kcompile
import beside

class Scaled(kcompile.layers.Layer):
    """Not registered: known by its name."""

    def call(self, x):
        return beside.FACTOR * x

@kcompile.saving.register_keras_serializable("mine")
def shifted(x):
    return x + 1
'''
COMMANDS = {
    "bench": ("-b", "1", "--seconds", "0"),
    "check": (),
    "explain": ("--batch-size", "2"),
    "export": ("--check",),
    "plot": (),
    "summary": (),
}


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A model of a user's own layer and activation, saved by another process, and their code."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "my_layers.py").write_text(CODE)
    (folder / "beside.py").write_text("FACTOR = 3.0\n")
    (folder / "save.py").write_text(
        "import kcompile, my_layers\n"
        "model = kcompile.Sequential([kcompile.Input((3,)), my_layers.Scaled(),"
        " kcompile.layers.Dense(2, activation=my_layers.shifted)])\n"
        "model.compile('sgd', 'mse')\n"
        "model.save('mine.keras')\n"
    )
    subprocess.run([sys.executable, "save.py"], cwd=folder, check=True, env=_environment())
    return folder


def _environment():
    return {**os.environ, "PYTHONPATH": str(Path(kcompile.__file__).parents[1])}


@pytest.fixture
def forgotten():
    """Modules that a command imports are gone afterwards, as if it ran in a process of its own."""
    from kcompile.core import registry

    before, paths, known = set(sys.modules), list(sys.path), dict(registry._custom)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("my_layers", "beside", "all_of_it", "gathered"):
            del sys.modules[name]
    sys.path[:] = paths
    registry._custom.clear()
    registry._custom.update(known)


@pytest.mark.parametrize("name", COMMANDS)
def test_code_that_the_user_names(name, mine, forgotten, tmp_path):
    model = mine / "mine.keras"
    assert "Could not locate" in (said := fails(name, model)) and "--import FILE.py" in said
    output = {"export": ("-o", tmp_path / "m.onnx"), "plot": ("-o", tmp_path / "m.svg")}.get(name, ())
    found = call(name, model, "--import", mine / "my_layers.py", *COMMANDS[name], *output)
    assert found.exit_code == 0, found.output


def test_the_file_of_a_model_never_brings_code(mine, forgotten):
    """What a config says of its modules is not imported, though it could be found."""
    sys.path.insert(0, str(mine))
    assert "Could not locate" in fails("summary", mine / "mine.keras")
    assert "my_layers" not in sys.modules
    assert call("summary", mine / "mine.keras", "--import", "my_layers").exit_code == 0  # a module's name


def test_mistakes_in_named_code(mine, forgotten, tmp_path):
    model = mine / "mine.keras"
    (tmp_path / "wrong.py").write_text("x = 1\ny = x.nothing\n")
    result = call("summary", model, "--import", tmp_path / "wrong.py")
    [line] = result.output.splitlines()
    assert result.exit_code == 1
    assert "wrong.py could not be imported (line 2): AttributeError" in line
    (tmp_path / "ends.py").write_text("raise SystemExit(7)\n")
    assert "could not be imported (line 1): SystemExit: 7" in fails(
        "summary", model, "--import", tmp_path / "ends.py"
    )
    (tmp_path / "half.py").write_text("def f(:\n")
    assert "SyntaxError" in fails("summary", model, "--import", tmp_path / "half.py")
    for name, said in (
        ("none.py", "there is no file"),
        (model, "neither"),
    ):
        result = call("summary", model, "--import", name)
        assert result.exit_code == 2 and said in result.output, result.output
    assert "No module named 'not_there'" in fails("summary", model, "--import", "not_there")


def test_only_what_a_module_defines_itself():
    module = type(sys)("made")
    exec("import json\nfrom json import dumps\ndef own(): pass\nclass Own: pass\nNUMBER = 1\n", vars(module))
    assert sorted(_own(module)) == ["Own", "own"]


def test_code_that_a_file_or_a_package_gathers(mine, forgotten, tmp_path):
    (mine / "all_of_it.py").write_text("from my_layers import *\nfrom math import *\n")
    assert call("summary", mine / "mine.keras", "--import", mine / "all_of_it.py").exit_code == 0
    module = sys.modules["all_of_it"]
    assert sorted(_own(module, beside=True)) == ["Scaled", "shifted"]
    assert _own(module) == {}  # by name it may lie among all that is installed
    (package := tmp_path / "gathered").mkdir()
    (package / "parts.py").write_text("class Part: pass\n")
    (package / "__init__.py").write_text("from .parts import Part\n")
    sys.path.insert(0, str(tmp_path))
    assert list(_own(import_module("gathered"))) == ["Part"]


def test_a_summary_of_layers_is_not_asked_of_a_file_without(onnx_file, tmp_path):
    for option in ("--expand-nested", "--trainable"):
        refused = call("summary", onnx_file, option)
        assert refused.exit_code == 2 and f"{option} is of .keras and .h5 files" in refused.output
    inner = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2, name="deep")], name="inner")
    kcompile.Sequential([kcompile.Input((3,)), inner]).save(tmp_path / "m.keras")
    [flat] = json_of("summary", tmp_path / "m.keras")["layers"]
    [full] = json_of("summary", tmp_path / "m.keras", "--expand-nested")["layers"]
    assert "layers" not in flat and [one["name"] for one in full["layers"]] == ["deep"]


def test_an_export_to_standard_output(model_file):
    result = call("export", model_file, "-o", "-")
    assert result.exit_code == 0, result.output
    found = onnx.load_from_string(result.stdout_bytes)
    onnx.checker.check_model(found, full_check=True)
    for flag in ("--json", "--check", "--external-data"):
        refused = call("export", model_file, "-o", "-", flag)
        assert refused.exit_code == 2
        assert refused.output.startswith(f"Error: {flag} needs a file")
    for name, option in (("plot", "-o"), ("explain", "--html")):
        assert "not to standard output" in fails(name, model_file, option, "-")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("export", "--opst", "3"), "No such option '--opst'. Did you mean '--opset'?"),
        (("export",), "Missing argument 'MODEL'"),
        (("exprt",), "did you mean 'export'?"),
        (("--fast",), "No such option '--fast'"),
        (("bench", "MODEL", "-b", "0"), "0 is not in the range"),
        (("bench", "MODEL", "-b", "x"), "'x' is not a valid integer"),
        (("export", "MODEL", "--opset", "20.5"), "'20.5' is not a valid integer"),
        (("plot", "MODEL", "--direction", "UP"), "'UP' is not one of 'TB', 'BT', 'LR', 'RL'"),
        (("summary", "MODEL", "more"), "unexpected extra argument"),
        (("check", "MODEL", "MODEL"), "EXPORTED must be an .onnx file"),
    ],
)
def test_a_wrong_call_is_one_line_with_the_remedy(given, said, model_file):
    result = call(*(model_file if word == "MODEL" else word for word in given))
    assert result.exit_code == 2
    [line] = result.output.splitlines()
    assert line.startswith("Error: ") and said in line
    assert line.endswith("--help)")


def test_no_command_shows_the_help():
    assert "Commands:" in call().output


def test_explaining_a_model_of_named_inputs_and_outputs(tmp_path):
    inputs = {"b": kcompile.Input((3,), name="b"), "a": kcompile.Input((4,), name="a")}
    both = layers.Concatenate()([inputs["a"], inputs["b"]])
    outputs = {"z": layers.Dense(2, name="z")(both), "c": layers.Dense(5, name="c")(both)}
    model = kcompile.Model(inputs, outputs)
    model.compile("sgd", {"z": "mse", "c": "sparse_categorical_crossentropy"})
    model.save(path := tmp_path / "named.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = json_of("explain", path, "--batch-size", 2)
    assert set(found["programs"]) == {"predict", "train"}


def test_checking_a_training_step_is_quiet(model_file, tmp_path, capfd):
    model = kcompile.models.load_model(model_file)
    model.compile("adam", "mse")
    model.export(path := tmp_path / "step.onnx", format="onnx", training=True, verbose=False)
    result = call("check", path)
    assert result.exit_code == 0, result.output
    assert "Warning" not in (said := capfd.readouterr()).err + said.out
    said = fails("check", model_file, path)
    assert "is not the inference call of this model. expected: 1 input(s) and 1 output(s)" in said
    assert "received: inputs numbers, y; outputs loss, " in said


def _model(width):
    return kcompile.Sequential([kcompile.Input((width,)), layers.Dense(width)])


def test_no_data_file_is_left_that_no_model_reads(tmp_path):
    path, data = tmp_path / "m.onnx", tmp_path / "m.onnx.data"
    _model(2).export(path, format="onnx", external_data=True, verbose=False)
    assert not data.exists()  # there is nothing that would be worth it
    _model(64).export(path, format="onnx", external_data=True, verbose=False)
    assert data.stat().st_size > 64 * 64 * 4
    _model(64).export(path, format="onnx", verbose=False)
    assert not data.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx"]


def test_a_file_of_somebody_else_stays(tmp_path):
    path, data = tmp_path / "m.onnx", tmp_path / "m.onnx.data"
    _model(64).export(path, format="onnx", verbose=False)
    data.write_text("notes")
    _model(64).export(path, format="onnx", verbose=False)
    assert data.read_text() == "notes"
    path.write_bytes(b"no model")
    _model(64).export(path, format="onnx", verbose=False)
    assert data.read_text() == "notes"


@pytest.mark.parametrize(
    ("opset", "error"),
    [("20", TypeError), (20.5, TypeError), (20.0, TypeError), (True, TypeError), (12, ValueError)],
)
def test_opsets_are_whole_numbers(opset, error, tmp_path):
    with pytest.raises(error, match="13 to"):
        _model(2).export(tmp_path / "m.onnx", format="onnx", opset_version=opset, verbose=False)
    assert list(tmp_path.iterdir()) == []
    _model(2).export(tmp_path / "m.onnx", format="onnx", opset_version=np.int64(18), verbose=False)


def test_completion_runs_nothing(tmp_path):
    """Pressing Tab behind `--import side.py` asks what may come next."""
    (tmp_path / "side.py").write_text("open('ran', 'w').close()\n")
    variable = "_kcompile_complete".upper()  # what click looks for
    words = {"COMP_WORDS": "kcompile export --import side.py --op", "COMP_CWORD": "4"}
    program = "from kcompile.cli import main; main(prog_name='kcompile')"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, variable: "bash_complete", **words, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert "--opset" in run.stdout, run.stderr
    assert not (tmp_path / "ran").exists()


def test_models_of_a_fixed_batch_are_measured_by_it(tmp_path):
    model = kcompile.Sequential([kcompile.Input(batch_shape=(2, 3, 4)), layers.LSTM(2, stateful=True)])
    path = str(tmp_path / "model.keras")
    model.save(path)
    assert [row["batch"] for row in json_of("bench", path, "--seconds", "0")["batches"]] == [2]
    assert [row["batch"] for row in json_of("check", path)["batches"]] == [2]
    assert json_of("explain", path)["batch_size"] == 2
