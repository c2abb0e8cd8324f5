"""KerasFileEditor: what it shows, what it finds different, what it changes, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile
from kcompile import layers, saving

h5py = pytest.importorskip("h5py")
TREE = """\
Weights structure
  > layers
  │   ├─ dense
  │   │   ├─ 0: shape=(3, 4), dtype=float32
  │   │   └─ 1: shape=(4,), dtype=float32
  │   └─ dense_1
  │       ├─ 0: shape=(4, 2), dtype=float32
  │       └─ 1: shape=(2,), dtype=float32
  └─ optimizer
      ├─ 0: shape=(), dtype=int32
      └─ 1: shape=(), dtype=float32
"""


def small(units=2, *more):
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(4), layers.Dense(units), *more])
    model.compile("sgd", "mse")
    return model


@pytest.fixture
def path(tmp_path):
    small().save_weights(tmp_path / "m.weights.h5")
    return tmp_path / "m.weights.h5"


def test_both_kinds_of_files(path, capsys):
    """As real Keras prints it."""
    editor = saving.KerasFileEditor(path)
    assert capsys.readouterr().out == f"Keras model file '{path}'\n"
    editor.summary()
    assert capsys.readouterr().out == TREE
    whole = path.with_name("m.keras")
    small().save(whole)
    editor = saving.KerasFileEditor(str(whole))
    out = capsys.readouterr().out
    assert out.startswith(f"Keras model file '{whole}'\nSaved with Keras 3.15.1 - date: 20")
    editor.summary()
    assert capsys.readouterr().out == TREE
    assert editor.config["class_name"] == "Sequential" and editor.metadata["keras_version"] == "3.15.1"


def test_compare(path, capsys):
    editor = saving.KerasFileEditor(path)
    assert editor.compare(small()) == {"status": "success", "error_count": 0, "match_count": 6}
    assert "    Found 6 matching weights\n" in capsys.readouterr().out
    other = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(4), layers.Dense(3), layers.Dense(1)])
    assert editor.compare(other) == {"status": "error", "error_count": 4, "match_count": 2}
    out = capsys.readouterr().out
    for text in (
        "...Weight shape mismatch for /layers/dense_1/0\n    In reference model: shape=(4, 3)\n"
        "    In saved file: shape=(4, 2)\n",
        "...Object /layers/dense_2 present in reference model, missing from saved file\n"
        "    In reference model, /layers/dense_2 contains the following keys: ['0', '1']\n",
        "...Object /optimizer present in saved file, missing from reference model\n",
        "Found 4 errors: saved file is not compatible with the reference model\n",
    ):
        assert text in out


def test_changes_make_a_file_fit_another_model(path, tmp_path):
    editor = saving.KerasFileEditor(path)
    kernel = editor.weights_dict["layers"]["dense"]["0"]
    editor.add_object("layers/dense_2", {"0": np.full((2, 1), 2.0), "9": np.zeros(1)})
    editor.delete_weight("dense_2", "9")
    editor.add_weights("layers/dense_2", {"1": np.full(1, 3.0)})
    editor.delete_object("optimizer")
    editor.rename_object("layers/dense", "other")
    editor.rename_object("other", "dense")
    editor.save(tmp_path / "new.weights.h5")
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(4), layers.Dense(2), layers.Dense(1)])
    model.load_weights(tmp_path / "new.weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    assert [w.tolist() for w in model.get_weights()[4:]] == [[[2], [2]], [3]]
    editor.resave_weights(str(tmp_path / "again.weights.h5"))
    assert (tmp_path / "again.weights.h5").is_file()


def test_bad_names(path, tmp_path):
    editor = saving.KerasFileEditor(path)
    for call, match in (
        (lambda: editor.rename_object("nobody", "x"), "does not appear in the model"),
        (lambda: editor.rename_object("layers/nobody", "x"), "Path 'layers/nobody' not found"),
        (lambda: editor.rename_object("layers/dense", "dense_1"), "in use"),
        (lambda: editor.delete_object("layers/dense/0"), "not found"),
        (lambda: editor.delete_weight("layers/dense", "7"), r"Weights found: \['0', '1'\]"),
        (lambda: editor.add_object("nowhere/dense", {}), "Path 'nowhere' not found"),
        (lambda: editor.add_object("layers/x", [1]), "should be a dict"),
        (lambda: editor.add_weights("layers/dense", [1]), "should be a dict"),
        (lambda: editor.save(tmp_path / "x.h5"), "expected a `.weights.h5` extension"),
        (lambda: saving.KerasFileEditor(tmp_path / "x.h5"), "expected a `.keras` or `.weights.h5`"),
    ):
        with pytest.raises(ValueError, match=match):
            call()
    editor.add_object("layers/dense/dense_1", {})
    with pytest.raises(ValueError, match="more than once"):
        editor.rename_object("dense_1", "x")


def test_what_load_weights_refuses_the_editor_refuses(path):
    with h5py.File(path, "a") as file:
        file["layers/link"] = h5py.ExternalLink("/etc/passwd", "/x")
    with pytest.raises(ValueError, match="ExternalLink"):
        saving.KerasFileEditor(path)
    with h5py.File(path, "a") as file:
        del file["layers/link"], file["layers/dense/vars/0"]
        file.create_dataset("layers/dense/vars/0", (10**6, 10**6), "f4", chunks=True, compression="gzip")
    with pytest.raises(ValueError, match="stored in full"):
        saving.KerasFileEditor(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="damaged"):
        saving.KerasFileEditor(path)
