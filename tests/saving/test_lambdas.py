"""Lambdas: written as Keras writes them, never run; the user's own functions go by name or by reference."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
import zipfile

import numpy as np
import pytest

import kcompile
from kcompile import layers, saving

x = np.arange(6, dtype="float32").reshape(2, 3)


def named(x):
    return x * 3


def chain(function, **settings):
    return kcompile.Sequential([kcompile.Input((3,)), layers.Lambda(function, name="lam", **settings)])


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_lambda_is_loaded_as_the_function_that_is_passed(tmp_path, ending):
    path = tmp_path / f"m{ending}"
    k = 2.0
    chain(lambda x, n=1: x * k + n).save(path)
    for safe_mode in (True, False):
        with pytest.raises(ValueError, match=r"'lam' is bytecode .*never run") as caught:
            saving.load_model(path, safe_mode=safe_mode)
        assert "custom_objects={'lam': ...}" in str(caught.value)
        assert "register_keras_serializable" in str(caught.value)
    model = saving.load_model(path, custom_objects={"lam": lambda x: x * 2 + 1})
    np.testing.assert_array_equal(model(x), x * 2 + 1)
    with pytest.raises(ValueError, match="never run"):
        saving.load_model(path, custom_objects={"lam": "no function"})


def test_a_lambda_is_written_in_the_form_of_keras(tmp_path):
    """Which Keras loads with safe_mode=False (seen with Keras 3.15)."""
    k = 2.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chain(lambda x, n=1: x * k + n).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        config = json.loads(archive.read("config.json"))
    function = config["config"]["layers"][1]["config"]["function"]
    assert function["class_name"] == "__lambda__"
    assert function["config"] | {"code": ""} == {"code": "", "defaults": [1], "closure": [2.0]}


def test_masks_and_shapes_may_be_lambdas():
    layer = layers.Lambda(named, output_shape=lambda s: s, mask=lambda x, mask: x, name="l")
    config = layer.get_config()
    with pytest.raises(ValueError, match=r"custom_objects=\{'l.mask': \.\.\.\}"):
        layers.Lambda.from_config(config, custom_objects={"named": named})
    passed = {"named": named, "l.mask": lambda x, mask: x + 1, "l.output_shape": lambda s: (s[0], 7)}
    made = layers.Lambda.from_config(config, custom_objects=passed)
    assert made.compute_mask(1) == 2 and made.compute_output_shape((2, 3)) == (2, 7)


def test_other_lambdas_are_written_with_a_warning(tmp_path):
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2)])
    model.compile("sgd", loss=lambda y, p: (y - p) ** 2)
    with pytest.warns(UserWarning, match="written as bytecode"):
        model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="never run"):
        saving.load_model(tmp_path / "m.keras", safe_mode=False)
    np.testing.assert_array_equal(saving.load_model(tmp_path / "m.keras", compile=False)(x), model(x))


def test_what_no_file_can_hold_is_refused(tmp_path):
    inner = layers.Dense(3)
    with pytest.raises(ValueError, match="keeps an object of type 'Dense'") as caught:
        chain(lambda x: inner(x)).save(tmp_path / "m.keras")
    assert "register_keras_serializable" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_named_functions_are_found_by_name(tmp_path, ending):
    path = tmp_path / f"m{ending}"
    chain(named).save(path)
    with pytest.raises(TypeError, match="Could not locate function 'named'") as caught:
        saving.load_model(path)
    assert "custom_objects={'named': ...}" in str(caught.value)
    assert "register_keras_serializable" in str(caught.value)
    np.testing.assert_array_equal(saving.load_model(path, custom_objects={"named": named})(x), x * 3)
    with kcompile.saving.custom_object_scope({"named": named}):
        np.testing.assert_array_equal(saving.load_model(path)(x), x * 3)


def test_clones_need_a_name_as_in_keras():
    with pytest.raises(ValueError, match="never run"):
        kcompile.models.clone_model(chain(lambda x: x + 1))
    with pytest.raises(TypeError, match="Could not locate function 'named'"):
        kcompile.models.clone_model(chain(named))
    with kcompile.saving.custom_object_scope({"named": named}):
        clone = kcompile.models.clone_model(chain(named))
    np.testing.assert_array_equal(clone(x), x * 3)
    shared = kcompile.models.clone_model(chain(lambda x: x + 1), clone_function=lambda layer: layer)
    np.testing.assert_array_equal(shared(x), x + 1)


def test_copies_hold_the_functions_themselves():
    """Two lambdas of one name stay two; nothing is written as code, so nothing is refused."""
    model = kcompile.Sequential(
        [
            kcompile.Input((3,)),
            layers.Lambda(lambda x: x + 1),
            layers.Lambda(lambda x: x * 2),
            layers.Dense(3, activation=lambda x: -x),
        ]
    )
    for copied in (copy.deepcopy(model), copy.copy(model)):
        np.testing.assert_array_equal(copied(x), model(x))
    pickled = pickle.loads(pickle.dumps(chain(named)))
    np.testing.assert_array_equal(pickled(x), x * 3)
