"""HDF5 that is more than the arrays of a model: refused with a clear error."""

from __future__ import annotations

import json
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest

import kcompile
from kcompile import layers, saving
from kcompile.saving.safe_hdf5 import open_group
from tests.saving.hostile import ENTRIES, HDF5, load, weights_with


@pytest.mark.parametrize("name", HDF5)
def test_hdf5_that_is_more_than_the_arrays_of_the_model(name, good, tmp_path):
    change, match = HDF5[name]
    parts = weights_with(good, change)
    tracemalloc.start()
    with pytest.raises(ValueError, match=match):
        load(parts, tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_many_arrays_that_share_what_is_stored(tmp_path):
    """Each is covered by what it says is stored, but the file is far smaller than all of them."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        for k in range(4):
            file.create_dataset(f"a{k}", (10**5,), "f4", chunks=(10**5,), compression="gzip")
            file[f"a{k}"][:] = np.random.default_rng(k).integers(0, 100, 10**5)
    opened, root = open_group(tmp_path / "m.h5", "m.h5")
    with opened:
        root._room[0] = 10**6  # as much as a file would have whose chunks all lie at one place
        assert root.read("a0").shape == (10**5,)
        assert root.read("a1", (10**5,)).shape == (10**5,)  # a shape that is known takes no room
        root.read("a2")
        with pytest.raises(ValueError, match="stored in full"):
            root.read("a3")


@pytest.mark.parametrize("name", HDF5)
def test_weights_files_and_the_older_format_follow_the_same_rules(name, good, tmp_path):
    change, _ = HDF5[name]
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2)])
    before = model.get_weights()
    path = tmp_path / "m.weights.h5"
    path.write_bytes(weights_with(good, change)["model.weights.h5"])
    with pytest.raises(ValueError):
        model.load_weights(path)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@saving.register_keras_serializable("hostile")
class Stores(layers.Layer):
    """Reads and writes its variable in its own way, so that no shape is known beforehand."""

    def build(self, input_shape):
        self.factor = self.add_weight((2,), "ones", name="factor")

    def call(self, x):
        return x * self.factor

    def save_own_variables(self, store):
        store["factor"] = self.factor.numpy()

    def load_own_variables(self, store):
        self.factor.assign(store["factor"])


def bomb(file, path):
    """Few bytes that claim to be terabytes."""
    del file[path]
    file.create_dataset(path, (10**6, 10**6), "f4", chunks=(1000, 1000), compression="gzip")


def test_shape_bombs_in_arrays_that_a_class_reads_itself(tmp_path):
    model = kcompile.Sequential([kcompile.Input((2,)), Stores()])
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5", "a") as file:
        bomb(file, "layers/stores/vars/factor")
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"\(1000000, 1000000\)"):
        model.load_weights(tmp_path / "m.weights.h5")
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_a_shape_bomb_in_the_state_of_the_optimizer(tmp_path):
    model = kcompile.Sequential([kcompile.Input((2,)), layers.Dense(2)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with pytest.warns(UserWarning, match="is not loaded"):
        load(weights_with(parts, lambda file: bomb(file, "optimizer/vars/2")), tmp_path)


def test_the_older_format_is_checked_too(tmp_path):
    def make(kernel, names=("d/kernel", "d/bias")):
        path = tmp_path / "m.h5"
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = ["d"]
            group = file.create_group("d")
            group.attrs["weight_names"] = list(names)
            group["d/bias"] = np.ones(2, "f4")
            kernel(group)
        return path

    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2)])
    model.load_weights(make(lambda g: g.__setitem__("d/kernel", np.ones((3, 2), "f4"))))
    assert model.layers[0].kernel.numpy().tolist() == [[1, 1]] * 3
    for kernel, match in (
        (lambda g: g.__setitem__("d/kernel", h5py.SoftLink("/d/d/bias")), "SoftLink"),
        (
            lambda g: g.create_dataset("d/kernel", (3, 2), "f4", external=[("/etc/passwd", 0, 24)]),
            "another file",
        ),
        (lambda g: g.__setitem__("d/kernel", np.ones((2, 3), "f4")), "do not fit"),
        (lambda g: None, "no array"),
    ):
        with pytest.raises(ValueError, match=match):
            model.load_weights(make(kernel))


def test_an_older_file_with_a_lambda_or_a_stranger(tmp_path):
    for name in ("lambda", "os_system", "own_module"):
        layer = {"class_name": "Lambda", "config": {"name": "l", "function": ENTRIES[name]}}
        config = {"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
        with h5py.File(tmp_path / "m.h5", "w") as file:
            file.attrs["model_config"] = json.dumps(config)
        with pytest.raises((ValueError, TypeError)):
            saving.load_model(tmp_path / "m.h5", safe_mode=False)
