"""Weights in several files."""

from __future__ import annotations

import errno
import json
import os

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers


def model(units=6):
    return keras.Sequential([keras.Input((8,)), layers.Dense(units), layers.Dense(5), layers.Dense(1)])


def test_weights_come_back_from_several_files(tmp_path):
    first, second = model(), model()
    first.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(4, 8)).astype("float32")
    first.train_on_batch(x, np.ones((4, 1), "float32"))
    path = tmp_path / "some.weights.json"
    first.save_weights(path, max_shard_size=200 / 1024**3)
    files = sorted(p.name for p in tmp_path.glob("*.h5"))
    assert files[0] == "some_00000.weights.h5" and len(files) > 3
    found = json.loads(path.read_text())
    assert found["weight_map"]["/layers/dense/vars"] == ["some_00000.weights.h5", "some_00001.weights.h5"]
    arrays = [*first.variables, *first.optimizer.variables]
    assert found["metadata"]["total_size"] == sum(np.asarray(v).nbytes for v in arrays)
    second.load_weights(path)
    np.testing.assert_array_equal(first(x), second(x))
    second.compile("adam", "mse")
    second.optimizer.build(second.trainable_variables)
    second.load_weights(path)
    for mine, theirs in zip(first.optimizer.variables, second.optimizer.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_model_that_does_not_fit_changes_nothing(tmp_path):
    model().save_weights(tmp_path / "a.weights.json", max_shard_size=1e-6)
    other = model(7)
    before = other.get_weights()
    with pytest.raises(ValueError, match="do not fit"):
        other.load_weights(tmp_path / "a.weights.json")
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights(), strict=True))


@pytest.mark.parametrize("name", ["a_00000.weights.h5", "a_00001.weights.h5", "a.weights.json"])
def test_files_of_two_saves_are_refused(tmp_path, name):
    """As a process leaves them that is killed between two renames."""
    net = model()
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        net.set_weights([w + 1 for w in net.get_weights()])
        net.save_weights(tmp_path / folder / "a.weights.json", max_shard_size=200 / 1024**3)
    before = net.get_weights()
    (tmp_path / "old" / name).write_bytes((tmp_path / "new" / name).read_bytes())
    with pytest.raises(
        ValueError, match=r"weights.h5 is not the file that was saved together with a.weights"
    ):
        net.load_weights(tmp_path / "old" / "a.weights.json")
    assert all(np.array_equal(a, b) for a, b in zip(before, net.get_weights(), strict=True))
    net.load_weights(tmp_path / "new" / "a.weights.json")


def test_files_of_keras_have_no_checksums(tmp_path):
    net, path = model(), tmp_path / "a.weights.json"
    net.save_weights(path, max_shard_size=200 / 1024**3)
    found = json.loads(path.read_text())
    sums = found["metadata"].pop("checksums")
    path.write_text(json.dumps(found))
    net.load_weights(path)
    found["metadata"]["checksums"] = dict([*sums.items()][1:])  # of some files only: somebody removed one
    path.write_text(json.dumps(found))
    with pytest.raises(ValueError, match=r"a_00000.weights.h5 is not the file"):
        net.load_weights(path)


class Refusing(layers.Dense):
    """A layer that cannot be saved any more."""

    def save_own_variables(self, store):
        if self.use_bias is None:
            raise RuntimeError("cannot be saved")
        super().save_own_variables(store)


def full(handle, seen=[]):  # noqa: B006
    seen.append(handle)
    if len(seen) == 2:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("fault", ["disk", "layer", "size"])
def test_a_save_that_fails_in_a_later_file_leaves_all_as_they_were(tmp_path, monkeypatch, fault):
    both = keras.Sequential([keras.Input((8,)), layers.Dense(8), layers.Dense(8), Refusing(9)])
    size = 360 / 1024**3
    path = tmp_path / "a.weights.json"
    both.save_weights(path, max_shard_size=size)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert len(before) == 4
    both.set_weights([w + 1 for w in both.get_weights()])
    with monkeypatch.context() as patch:
        if fault == "disk":
            patch.setattr(os, "fsync", full)
        if fault == "layer":
            both.layers[-1].use_bias = None
        with pytest.raises((OSError, RuntimeError, ValueError), match="No space|cannot be saved|exceeds"):
            both.save_weights(path, max_shard_size=260 / 1024**3 if fault == "size" else size)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["../x.weights.h5", "/tmp/x.weights.h5", "x.txt", 3])
def test_names_of_files_elsewhere_are_refused(tmp_path, name):
    path = tmp_path / "a.weights.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": {"/vars": name}}))
    with pytest.raises(ValueError, match="refused"):
        model().load_weights(path)


def test_wrong_arguments(tmp_path):
    with pytest.raises(ValueError, match="`.weights.json`"):
        model().save_weights(tmp_path / "a.weights.h5", max_shard_size=1)
    with pytest.raises(ValueError, match="exceeds the maximum shard size"):
        model().save_weights(tmp_path / "a.weights.json", max_shard_size=1e-9)
    (tmp_path / "b.weights.json").write_text("[]")
    with pytest.raises(ValueError, match="weight_map"):
        model().load_weights(tmp_path / "b.weights.json")
