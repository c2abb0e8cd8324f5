"""Options of `kcompile export` together: each opset, with the others in all combinations."""

from __future__ import annotations

import errno
import itertools
import os

import numpy as np
import onnx
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

import kcompile
from kcompile import layers
from kcompile.export.onnx import DEFAULT_OPSET, OLDEST_OPSET, newest_opset
from tests.cli.cli_tools import call, fails, json_of

LATEST, _ = newest_opset()
FLAGS = ("--fold-batch-norm", "--external-data", "--check", "--input-signature")


@pytest.fixture(scope="module")
def image_file(tmp_path_factory):
    """A network with something to fold, an open size and weights that are not small; compiled."""
    kcompile.utils.set_random_seed(0)
    model = kcompile.Sequential(
        [
            kcompile.Input((None, 8, 3), name="image"),
            layers.Conv2D(6, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4),
        ]
    )
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    model.compile("sgd", "mse")
    path = tmp_path_factory.mktemp("image") / "image.keras"
    model.save(path)
    return path


@pytest.mark.parametrize("flags", [c for n in range(5) for c in itertools.combinations(FLAGS, n)])
def test_flags_in_all_combinations(flags, image_file, tmp_path):
    """The opset goes round: each of them is written with some of the combinations."""
    number = sum(1 << FLAGS.index(flag) for flag in flags)
    opset, target = OLDEST_OPSET + number % (LATEST - OLDEST_OPSET + 1), tmp_path / "m.onnx"
    given = list(itertools.chain(*([f] if f != FLAGS[3] else [f, "float32[n,rows,8,3]"] for f in flags)))
    found = json_of("export", image_file, "-o", target, "--opset", opset, *given)
    assert found["opset"] == opset and found["file"] == str(target)
    assert (found.get("data") is not None) == ("--external-data" in flags)
    assert (tmp_path / "m.onnx.data").exists() == ("--external-data" in flags)
    shape = ["n", "rows", 8, 3] if "--input-signature" in flags else ["batch", "height", 8, 3]
    assert found["inputs"][0]["shape"] == shape
    operators = [node.op_type for node in onnx.load(target).graph.node]
    assert ("BatchNormalization" in operators) != ("--fold-batch-norm" in flags)
    if "--check" in flags:
        assert found["agrees"] and [row["batch"] for row in found["batches"]] == [1, 3, 17]


@pytest.mark.parametrize("opset", range(OLDEST_OPSET, LATEST + 1))
def test_training_steps_in_every_opset(opset, image_file, tmp_path):
    target = tmp_path / "m.onnx"
    more = ["--external-data"] if opset % 2 else []
    signature = ["--input-signature", "image=float32[?,8,8,3]"] if opset % 3 else []
    found = json_of("export", image_file, "-o", target, "--training", "--opset", opset, *more, *signature)
    assert found["opset"] == opset and found["outputs"][0]["name"] == "loss"
    onnx.checker.check_model(target, full_check=True)


def test_what_does_not_go_together_is_a_wrong_call(image_file, tmp_path):
    target = tmp_path / "m.onnx"
    for flag in ("--check", "--fold-batch-norm"):
        result = call("export", image_file, "-o", target, "--training", flag)
        assert result.exit_code == 2 and flag in result.output
    two = ("--input-signature", "float32[?,8,8,3]", "--input-signature", "float32[?,4]")
    assert "--training" in fails("export", image_file, "-o", target, *two)
    assert not target.exists()


def test_a_file_that_onnxruntime_refuses_is_told_in_one_line(image_file, tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise Fail("two nodes with same node name")

    monkeypatch.setattr("kcompile.export.onnx.apart.session", refuse)
    result = call("export", image_file, "-o", tmp_path / "m.onnx", "--check")
    assert result.exit_code == 1
    assert "onnxruntime cannot run" in result.output and "two nodes" in result.output


@pytest.mark.parametrize("flag", ["--external-data", "--training", "--fold-batch-norm"])
def test_a_full_disk_is_told_in_one_line_and_leaves_the_old_file(flag, image_file, tmp_path, monkeypatch):
    (target := tmp_path / "m.onnx").write_bytes(b"old")

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = call("export", image_file, "-o", target, flag)
    assert (result.exit_code, result.output) == (1, f"Error: {target}: No space left on device\n")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]


def test_the_default_opset(image_file, tmp_path):
    assert json_of("export", image_file, "-o", tmp_path / "m.onnx")["opset"] == DEFAULT_OPSET


def test_text_goes_in_and_numbers_come_out(tmp_path):
    words = layers.StringLookup(vocabulary=["red", "green", "blue"], name="colours")
    x = kcompile.Input((2,), dtype="string", name="words")
    model = kcompile.Model(x, layers.Dense(3)(layers.Flatten()(layers.Embedding(5, 4)(words(x)))))
    model.save(tmp_path / "m.keras")
    target = tmp_path / "m.onnx"
    for opset in (OLDEST_OPSET, DEFAULT_OPSET, LATEST):
        found = json_of("export", tmp_path / "m.keras", "-o", target, "--opset", opset, "--check")
        assert found["agrees"] and found["inputs"][0]["dtype"] == "string"
    assert json_of("check", tmp_path / "m.keras", target)["ok"]
    assert json_of("check", target)["ok"]
    assert json_of("summary", target)["inputs"][0]["dtype"] == "string"


def test_layers_that_text_cannot_pass_are_named_one_by_one(tmp_path):
    x = kcompile.Input((1,), dtype="string", name="words")
    parts = [layers.Hashing(7, name=name)(x) for name in ("first", "second")]
    kcompile.Model(x, parts).save(tmp_path / "m.keras")
    (tmp_path / "m.onnx").write_bytes(b"old")
    result = call("export", tmp_path / "m.keras", "-o", tmp_path / "m.onnx", "--json")
    assert result.exit_code == 1 and result.stdout == ""
    for name in ("first", "second"):
        assert len([line for line in result.stderr.splitlines() if name in line]) == 1
    assert (tmp_path / "m.onnx").read_bytes() == b"old"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_files_of_other_floats_are_checked(dtype, tmp_path):
    """onnxruntime's Python has no arrays of bfloat16."""
    x = kcompile.Input((6,), dtype=dtype, name="x")
    kcompile.Model(x, layers.Dense(3, dtype=dtype, name="y")(x)).save(tmp_path / "m.keras")
    target = tmp_path / "m.onnx"
    found = json_of("export", tmp_path / "m.keras", "-o", target, "--check")
    assert found["agrees"] and found["inputs"][0]["dtype"] == found["outputs"][0]["dtype"] == dtype
    assert json_of("check", tmp_path / "m.keras", target)["ok"]
    assert json_of("check", target)["ok"]
    rows = json_of("bench", tmp_path / "m.keras", "--onnxruntime", "-b", 2, "--seconds", 0)["batches"]
    assert rows[0]["onnxruntime_us"] > 0


def test_hints_name_options_rather_than_arguments_of_python(tmp_path):
    model = kcompile.Sequential([layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    said = fails("export", tmp_path / "m.keras", "-o", tmp_path / "m.onnx")
    assert "--input-signature" in said and "input_signature" not in said
    model.build((None, 3))
    model.save(tmp_path / "m.keras")
    said = fails("export", tmp_path / "m.keras", "-o", tmp_path / "m.onnx", "--training")
    assert "leave out --training" in said and "training=True" not in said


def test_other_words_of_a_message_stay_what_they_are(tmp_path):
    """The loss has an argument `output`, which is no option of the command."""
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2)])
    model.compile("sgd", "categorical_crossentropy")
    model.save(tmp_path / "m.keras")
    given = ("--input-signature", "float32[?,3]", "--input-signature", "float32[?,5]")
    result = call("export", tmp_path / "m.keras", "-o", tmp_path / "m.onnx", "--training", *given)
    assert result.exit_code == 2 and "`target` and `output` must have the same shape" in result.output
