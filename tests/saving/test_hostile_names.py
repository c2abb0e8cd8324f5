"""Files that name code, or objects that nobody registered: refused with a clear error, and never run."""

from __future__ import annotations

import json
import sys

import h5py
import numpy as np
import pytest

import kcompile
from kcompile import layers, saving
from tests.saving.hostile import ENTRIES, EVIL, config_with, dense_of, entry, load


def test_the_honest_file_loads(good, tmp_path):
    assert load(good, tmp_path).layers[0].units == 2


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module that notes that it was imported or called."""
    (tmp_path / f"{EVIL}.py").write_text(
        "import sys\nsys._trapped = True\ndef run(*a, **k):\n    sys._trapped = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "_trapped", False, raising=False)
    yield
    assert not sys._trapped
    assert EVIL not in sys.modules


@pytest.mark.parametrize("safe_mode", [True, False, None])
@pytest.mark.parametrize("name", ENTRIES)
def test_names_of_code_are_refused_as_layers_and_as_arguments(name, safe_mode, good, tmp_path, trap):
    as_layer = config_with(good, lambda c: c["config"]["layers"].append(ENTRIES[name]))
    as_model = {**good, "config.json": json.dumps(ENTRIES[name])}
    as_argument = config_with(good, lambda c: dense_of(c)["config"].update(activation=ENTRIES[name]))
    as_loss = config_with(
        good, lambda c: c.update(compile_config={"optimizer": "sgd", "loss": ENTRIES[name]})
    )
    for parts in (as_layer, as_model, as_argument, as_loss):
        with pytest.raises((ValueError, TypeError)):
            load(parts, tmp_path, safe_mode=safe_mode)


@pytest.mark.parametrize("safe_mode", [True, False, None])
@pytest.mark.parametrize("name", ENTRIES)
def test_the_older_format_refuses_them_too(name, safe_mode, tmp_path, trap):
    path = tmp_path / "m.h5"
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.save(path)
    with h5py.File(path) as file:
        honest = {key: file.attrs[key] for key in ("model_config", "training_config")}
    changes = {
        "model_config": [
            lambda c: c["config"]["layers"].append(ENTRIES[name]),
            lambda c: dense_of(c)["config"].update(activation=ENTRIES[name]),
            lambda c: dense_of(c)["config"].update(kernel_initializer=ENTRIES[name]),
        ],
        "training_config": [
            lambda c: c.update(loss=ENTRIES[name]),
            lambda c: c.update(metrics=[ENTRIES[name]]),
            lambda c: c.update(optimizer_config=ENTRIES[name]),
        ],
    }
    for key, change in ((key, change) for key, several in changes.items() for change in several):
        config = json.loads(honest[key])
        change(config)
        with h5py.File(path, "a") as file:
            for attribute, text in {**honest, key: json.dumps(config)}.items():
                file.attrs[attribute] = text
        with pytest.raises((ValueError, TypeError)):
            saving.load_model(path, safe_mode=safe_mode)


def test_a_lambda_is_refused_with_a_remedy(good, tmp_path):
    layer = entry("keras.layers", "Lambda", {"name": "l", "function": ENTRIES["lambda"], "arguments": {}})
    parts = config_with(good, lambda c: c["config"]["layers"].append(layer))
    with pytest.raises(ValueError, match="register_keras_serializable") as caught:
        load(parts, tmp_path, safe_mode=False)
    assert "never run" in str(caught.value)


def test_objects_that_the_caller_passes_are_found(tmp_path):
    class Twice(layers.Layer):
        def call(self, x):
            return x * 2

    path = tmp_path / "m.keras"
    kcompile.Sequential([kcompile.Input((3,)), Twice()]).save(path)
    for kind in (ValueError, TypeError):  # Keras raises the latter
        with pytest.raises(kind, match="^Could not locate class 'Twice'"):
            saving.load_model(path)
    model = saving.load_model(path, custom_objects={"Twice": Twice})
    assert model(np.ones((1, 3), "float32")).tolist() == [[2, 2, 2]]


def test_a_model_from_json_follows_the_same_rules():
    for name in ("os_system", "lambda", "download"):
        with pytest.raises((ValueError, TypeError)):
            kcompile.models.model_from_json(json.dumps(ENTRIES[name]))


@pytest.mark.parametrize("name", ["own_module", "os_system", "lambda", "download", "settings", "eval"])
def test_every_way_to_make_an_object_from_data_is_as_strict(name, good, trap):
    """from_config, deserialize and clone_model, whatever `safe_mode` says or does not say."""
    from kcompile.models import clone_model

    config = json.loads(good["config.json"])["config"]
    config["layers"][1]["config"]["activation"] = ENTRIES[name]

    class Odd(layers.Dense):
        def get_config(self):
            return {**super().get_config(), "activation": ENTRIES[name]}

        @classmethod
        def from_config(cls, config):
            return layers.Dense.from_config(config)

    honest = kcompile.Sequential([kcompile.Input((3,)), Odd(2)])
    attempts = [
        lambda: kcompile.Sequential.from_config(config),
        lambda: layers.Dense.from_config(config["layers"][1]["config"]),
        lambda: clone_model(honest),
        *(
            lambda mode=mode: saving.deserialize_keras_object(ENTRIES[name], safe_mode=mode)
            for mode in (True, False, None)
        ),
        lambda: kcompile.layers.deserialize(ENTRIES[name]),
        lambda: kcompile.losses.deserialize(ENTRIES[name]),
        lambda: kcompile.optimizers.deserialize(ENTRIES[name]),
        lambda: kcompile.initializers.deserialize(ENTRIES[name]),
    ]
    for attempt in attempts:
        with pytest.raises((ValueError, TypeError)):
            attempt()
