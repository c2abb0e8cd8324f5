"""Keras's older .h5 format: written and read back, files of Keras 2, weights by name, and hostile files."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import kcompile
from kcompile import layers, saving
from kcompile.saving.legacy_write import write_names
from tests.saving.hostile import ENTRIES, HDF5, KERNEL

h5py = pytest.importorskip("h5py")


def two_layers(units=2, second="b"):
    return kcompile.Sequential(
        [kcompile.Input((3,)), layers.Dense(4, name="a"), layers.Dense(units, name=second)]
    )


@pytest.fixture
def saved(tmp_path):
    """A trained model, and its file."""
    model = two_layers()
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "m.h5")
    return model, tmp_path / "m.h5"


def equal(a, b):
    return [bool(np.array_equal(x, y)) for x, y in zip(a.get_weights(), b.get_weights(), strict=True)]


# --- written ------------------------------------------------------------------------------------------------


def test_short_names_of_losses_are_written_in_full(saved):
    with h5py.File(saved[1]) as file:
        config = json.loads(file.attrs["training_config"])
    assert config["loss"] == "mean_squared_error" and config["metrics"] == ["mae"]
    assert config["optimizer_config"]["class_name"] == "Adam"


def test_without_what_belongs_to_compile(saved, tmp_path):
    model, _ = saved
    model.save(tmp_path / "plain.hdf5", include_optimizer=False)
    loaded = saving.load_model(tmp_path / "plain.hdf5")
    assert not loaded.compiled and all(equal(model, loaded))
    with h5py.File(tmp_path / "plain.hdf5") as file:
        assert "training_config" not in file.attrs and "optimizer_weights" not in file
    assert not saving.load_model(saved[1], compile=False).compiled


def test_a_failed_save_leaves_the_old_file(saved):
    before, no_data = saved[1].read_bytes(), object()
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Lambda(lambda x: x if no_data else -x)])
    with pytest.raises(ValueError, match="lambda"):
        model.save(saved[1])
    assert saved[1].read_bytes() == before
    assert [p.name for p in saved[1].parent.iterdir()] == ["m.h5"]


def test_lists_of_names_longer_than_an_attribute(tmp_path):
    names = [f"layer_{k:05d}_" + "x" * 50 for k in range(3000)]
    with h5py.File(tmp_path / "n.h5", "w") as file:
        write_names(file, "layer_names", names)
        assert "layer_names" not in file.attrs and "layer_names1" in file.attrs
    from kcompile.saving.safe_hdf5 import open_group

    opened, root = open_group(tmp_path / "n.h5", "n.h5")
    with opened:
        assert root.texts("layer_names") == names


def test_weights_of_equal_names_and_of_the_model_itself(tmp_path):
    class Own(kcompile.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.first, self.second = layers.Dense(2, name="d"), layers.Dense(2, name="d")
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, x):
            return self.second(self.first(x)) * self.scale

    inner = Own(name="inner")
    model = kcompile.Sequential([kcompile.Input((2,)), inner], name="outer")
    model.set_weights([np.full(w.shape, k + 1.0) for k, w in enumerate(model.weights)])
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        names = list(file["model_weights/inner"].attrs["weight_names"])
    assert len(set(names)) == len(names) == 5
    other = kcompile.Sequential([kcompile.Input((2,)), Own(name="inner")], name="outer")
    other.load_weights(tmp_path / "m.h5")
    assert all(equal(model, other))


def test_bfloat16(tmp_path):
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2, dtype="bfloat16")])
    model.save(tmp_path / "m.h5")
    loaded = saving.load_model(tmp_path / "m.h5")
    assert loaded.weights[0].dtype == "bfloat16" and all(equal(model, loaded))


# --- weights ------------------------------------------------------------------------------------------------


def test_layers_that_compute_with_what_they_make_of_their_weights(tmp_path):
    """Normalization keeps mean and variance beside its weights; so does one inside of another model."""

    def model(data):
        inner, outer = layers.Normalization(name="inner"), layers.Normalization(name="outer", invert=True)
        made = kcompile.Sequential(
            [kcompile.Input((3,)), outer, kcompile.Sequential([kcompile.Input((3,)), inner], name="nested")]
        )
        inner.adapt(data), outer.adapt(data * 2)
        return made

    data = np.random.default_rng(0).normal(2, 3, (9, 3)).astype("float32")
    written, other = model(data), model(data + 5)
    expected = written.predict(data, verbose=0)
    written.save(tmp_path / "m.h5")
    np.testing.assert_array_equal(saving.load_model(tmp_path / "m.h5").predict(data, verbose=0), expected)
    for how in ({}, {"by_name": True}):
        assert not np.allclose(other.predict(data, verbose=0), expected)
        other.load_weights(tmp_path / "m.h5", **how)
        np.testing.assert_array_equal(other.predict(data, verbose=0), expected)
        other = model(data + 5)


def test_by_name(saved):
    model, path = saved
    for units, second, options, expected in (
        (2, "b", {}, [True] * 4),
        (5, "c", {}, [True, True, False, False]),
        (5, "b", {"skip_mismatch": True}, [True, True, False, False]),
    ):
        other = two_layers(units, second)
        other.set_weights([np.zeros(w.shape) for w in other.weights])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other.load_weights(path, by_name=True, **options)
        assert [bool(np.any(w)) for w in other.get_weights()] == expected
        if units == 2:
            assert all(equal(model, other))
    with pytest.raises(ValueError, match="weights of layer 'b'"):
        two_layers(5).load_weights(path, by_name=True)
    for name in ("m.keras", "m.weights.h5"):
        (path.parent / name).write_bytes(b"")
        with pytest.raises(ValueError, match="`by_name` only supports"):
            model.load_weights(path.parent / name, by_name=True)


def test_what_does_not_fit_is_skipped_with_a_warning(saved):
    model, path = saved
    wider = kcompile.Sequential([kcompile.Input((5,)), layers.Dense(4, name="a"), layers.Dense(2, name="b")])
    before = wider.get_weights()
    with pytest.raises(ValueError, match="do not fit"):
        wider.load_weights(path)
    for old, new in zip(before, wider.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.warns(UserWarning, match="Skipping .*a/kernel of layer 'a'"):
        wider.load_weights(path, skip_mismatch=True)
    now = wider.get_weights()
    np.testing.assert_array_equal(now[0], before[0])
    for k in (1, 2, 3):
        np.testing.assert_array_equal(now[k], model.get_weights()[k])


def test_a_state_of_the_optimizer_that_does_not_fit(saved):
    with h5py.File(saved[1], "a") as file:
        names = list(file["optimizer_weights"].attrs["weight_names"])
        del file["optimizer_weights"].attrs["weight_names"]
        file["optimizer_weights"].attrs["weight_names"] = names[:3]
    with pytest.warns(UserWarning, match="state of optimizer 'adam.*' is not loaded"):
        loaded = saving.load_model(saved[1])
    assert loaded.compiled and int(loaded.optimizer.iterations.numpy()) == 0


def test_an_optimizer_that_was_never_used_is_loaded_without_a_warning(tmp_path):
    model = kcompile.Sequential([kcompile.Input((2,)), layers.Dense(2)])
    model.compile(kcompile.optimizers.Adam(0.01), "mse")
    model.optimizer.learning_rate = 0.25
    model.save(tmp_path / "m.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = saving.load_model(tmp_path / "m.h5")
    assert float(loaded.optimizer.learning_rate) == 0.25
    loaded.train_on_batch(np.ones((1, 2), "float32"), np.ones((1, 2), "float32"))


# --- Keras 2 ------------------------------------------------------------------------------------------------


def initializer(name, **config):
    return {"class_name": name, "config": config}


def dense(name, units, **more):
    config = {
        "name": name, "trainable": True, "dtype": "float32", "units": units, "activation": "relu",
        "use_bias": True, "kernel_initializer": initializer("GlorotUniform", seed=None),
        "bias_initializer": initializer("Zeros"), "kernel_regularizer": None, "bias_regularizer": None,
        "activity_regularizer": None, "kernel_constraint": None, "bias_constraint": None,
    }  # fmt: skip
    return {"class_name": "Dense", "config": config | more}


INPUT = {
    "class_name": "InputLayer",
    "config": {"batch_input_shape": [None, 3], "dtype": "float32", "sparse": False, "name": "x"},
}  # fmt: skip
NORM = {
    "class_name": "BatchNormalization",
    "config": {"name": "n", "trainable": True, "dtype": "float32", "axis": [1], "epsilon": 0.001},
}  # fmt: skip
ADD = {"class_name": "Add", "config": {"name": "add", "trainable": True, "dtype": "float32"}}


def placed(layer, *nodes):
    return {**layer, "name": layer["config"]["name"], "inbound_nodes": list(nodes)}


MODELS = {
    "sequential": {"name": "s", "layers": [INPUT, dense("d", 4), NORM]},
    "shape_in_the_first_layer": {
        "name": "s",
        "layers": [dense("d", 4, batch_input_shape=[None, 3]), NORM],
    },
    "functional": {
        "name": "m",
        "layers": [
            placed(INPUT),
            placed(dense("d", 4), [["x", 0, 0, {}]]),
            placed(dense("e", 4), [["d", 0, 0, {}]]),
            placed(ADD, [["d", 0, 0, {}], ["e", 0, 0, {}]]),
        ],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["add", 0, 0]],
    },
}
ARRAYS = {
    "d": [("kernel:0", (3, 4)), ("bias:0", (4,))],
    "e": [("kernel:0", (4, 4)), ("bias:0", (4,))],
    "n": [("gamma:0", (4,)), ("beta:0", (4,)), ("moving_mean:0", (4,)), ("moving_variance:0", (4,))],
}
TRAINING = {
    "loss": {
        "class_name": "BinaryCrossentropy",
        "config": {"reduction": "auto", "name": "bce", "from_logits": False, "label_smoothing": 0},
    },
    "metrics": [
        [{"class_name": "MeanMetricWrapper", "config": {"name": "accuracy", "fn": "binary_accuracy"}}]
    ],
    "weighted_metrics": None,
    "loss_weights": None,
    "optimizer_config": {"class_name": "SGD", "config": {"name": "SGD", "learning_rate": 0.5, "decay": 0.0}},
}


def of_keras_2(path, name):
    config = MODELS[name]
    kind = "Functional" if "input_layers" in config else "Sequential"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": kind, "config": config}).encode()
        file.attrs["training_config"] = json.dumps(TRAINING).encode()
        file.attrs["keras_version"] = b"2.4.0"
        group = file.create_group("model_weights")
        names = [layer["config"]["name"] for layer in config["layers"]]
        group.attrs["layer_names"] = [n.encode() for n in names]
        for n in names:
            inner = group.create_group(n)
            inner.attrs["weight_names"] = [f"{n}/{w}".encode() for w, _ in ARRAYS.get(n, [])]
            for w, shape in ARRAYS.get(n, []):
                inner[f"{n}/{w}"] = np.ones(shape, "f4")


@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")
@pytest.mark.parametrize("name", MODELS)
def test_files_of_keras_2(name, tmp_path):
    of_keras_2(tmp_path / "m.h5", name)
    model = saving.load_model(tmp_path / "m.h5")
    found = model(np.ones((1, 3), "float32"))
    expected = 21.0 if name == "functional" else (4 - 1) / np.sqrt(1 + 1e-3) + 1
    np.testing.assert_allclose(found, np.full((1, 4), expected), rtol=1e-6)
    assert float(model.optimizer.learning_rate.numpy()) == 0.5 and model.loss.name == "bce"
    assert "accuracy" in str(model.evaluate(np.ones((2, 3)), np.ones((2, 4)), verbose=0, return_dict=True))


# --- hostile ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in ENTRIES if name not in ("vocabulary_file", "saved_model")])
@pytest.mark.parametrize("place", ["layer", "activation", "model", "loss", "metric", "optimizer"])
def test_names_of_code_are_refused(name, place, saved):
    entry = ENTRIES[name]
    with h5py.File(saved[1], "a") as file:
        config, training = (json.loads(file.attrs[key]) for key in ("model_config", "training_config"))
        if place == "layer":
            config["config"]["layers"].append(entry)
        elif place == "activation":
            config["config"]["layers"][1]["config"]["activation"] = entry
        elif place == "model":
            config = entry
        elif place == "optimizer":
            training["optimizer_config"] = entry
        else:
            training["loss" if place == "loss" else "metrics"] = entry
        file.attrs["model_config"], file.attrs["training_config"] = json.dumps(config), json.dumps(training)
    for safe_mode in (True, False, None):
        with pytest.raises((ValueError, TypeError)):
            saving.load_model(saved[1], safe_mode=safe_mode)


BROKEN = {
    name: change for name, (change, _) in HDF5.items() if name not in ("more", "stranger", "soft_group")
}


@pytest.mark.parametrize("home", ["model_weights/a/sequential/a/kernel", "optimizer_weights/adam/iteration"])
@pytest.mark.parametrize("name", BROKEN)
def test_arrays_that_are_not_plain_arrays(name, home, tmp_path):
    kcompile.utils.clear_session()
    model = two_layers()
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "m.h5")

    class Moved:
        """The file, in which the kernel of the other tests lies where this one's array does."""

        def __init__(self, file):
            self.file = file

        def _home(self, path):
            return home if path == KERNEL else path

        def __delitem__(self, path):
            del self.file[self._home(path)]

        def __setitem__(self, path, value):
            self.file[self._home(path)] = value

        def __getitem__(self, path):
            return self.file["model_weights/a/sequential/a/bias" if path.endswith("/1") else "model_weights"]

        def create_dataset(self, path, *args, **kwargs):
            return self.file.create_dataset(self._home(path), *args, **kwargs)

        def create_group(self, path):
            return self.file.create_group(self._home(path))

        def create_virtual_dataset(self, path, *args):
            return self.file.create_virtual_dataset(self._home(path), *args)

    with h5py.File(tmp_path / "m.h5", "a") as file:
        if name == "cycle":
            file[home.rsplit("/", 1)[0] + "/loop"] = file["model_weights"]
        else:
            BROKEN[name](Moved(file))
    if home.startswith("optimizer") and name in ("shape_bomb", "other_shape", "opaque"):  # another shape
        with pytest.warns(UserWarning, match="is not loaded"):
            loaded = saving.load_model(tmp_path / "m.h5")
        assert int(loaded.optimizer.iterations.numpy()) == 0
        return
    with pytest.raises(ValueError):
        saving.load_model(tmp_path / "m.h5")


def test_layers_whose_names_others_have_too(tmp_path):
    """A bare `Identity` in a list of layers is the layer, not the initializer."""
    a = kcompile.Input((3, 3))
    inner = layers.TimeDistributed(layers.Identity())
    kcompile.Model(a, inner(layers.Identity()(a))).save(tmp_path / "m.h5")
    loaded = saving.load_model(tmp_path / "m.h5")
    x = np.ones((2, 3, 3), "float32")
    np.testing.assert_array_equal(loaded(x), x)


def test_layers_inside_of_a_layer_keep_their_modules(tmp_path):
    """Keras reads a Pipeline's layers in the newer form, from such a file too."""
    model = kcompile.Sequential([kcompile.Input((4, 4, 3)), layers.Pipeline([layers.CenterCrop(2, 2)])])
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        pipeline = json.loads(file.attrs["model_config"])["config"]["layers"][1]
    assert "module" not in pipeline
    assert pipeline["config"]["layers"][0]["module"] == "keras.layers"
    x = np.arange(48, dtype="float32").reshape(1, 4, 4, 3)
    np.testing.assert_array_equal(saving.load_model(tmp_path / "m.h5")(x), model(x))
