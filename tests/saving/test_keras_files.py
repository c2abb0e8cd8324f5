"""Files of real Keras load here, and ours load there (fixtures by tests/saving/with_keras.py)."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kcompile
from kcompile import saving
from tests.parity.model_cases import BUILDERS, inputs_of
from tests.saving.cases import NAMES, TRAINED, numbers_for, targets, train
from tests.saving.with_keras import flat

HERE = Path(__file__).resolve().parent
FIXTURES = HERE / "fixtures"
CLOSE = {"rtol": 1e-5, "atol": 1e-5}  # sums of float32 products in another order


@pytest.fixture(scope="module")
def expected():
    return np.load(FIXTURES / "expected.npz")


def custom_objects(name):
    return {"Blocks": type(BUILDERS[name](kcompile))} if name == "subclassed" else None


def check_outputs(model, name, expected):
    for k, y in enumerate(flat(model(inputs_of(name), training=False))):
        np.testing.assert_allclose(y, expected[f"{name}/{k}"], **CLOSE)


@pytest.mark.parametrize("name", NAMES)
def test_models_that_keras_saved(name, expected):
    model = saving.load_model(FIXTURES / f"{name}.keras", custom_objects(name))
    check_outputs(model, name, expected)
    assert not model.compiled


def slots_of(model):
    return np.concatenate([np.ravel(v.numpy()).astype("float32") for v in model.optimizer.variables])


@pytest.mark.parametrize("name", TRAINED)
def test_trained_models_that_keras_saved(name, expected):
    model = saving.load_model(FIXTURES / f"trained_{name}.keras")
    np.testing.assert_allclose(model(inputs_of(name), training=False), expected[f"trained_{name}"], **CLOSE)
    np.testing.assert_array_equal(slots_of(model), expected[f"trained_{name}/slots"])
    found = model.evaluate(inputs_of(name), targets(model, name), verbose=0)
    np.testing.assert_allclose(found, expected[f"trained_{name}/evaluated"], **CLOSE)


@pytest.mark.parametrize("name", TRAINED)
def test_weights_that_keras_saved(name, expected):
    for suffix in (".weights.h5", ".keras", ".h5"):
        model = BUILDERS[name](kcompile)
        model.load_weights(FIXTURES / f"trained_{name}{suffix}")
        np.testing.assert_allclose(
            model(inputs_of(name), training=False), expected[f"trained_{name}"], **CLOSE
        )


@pytest.mark.parametrize("name", TRAINED)
def test_models_in_keras_older_format(name, expected):
    model = saving.load_model(FIXTURES / f"trained_{name}.h5")
    np.testing.assert_allclose(model(inputs_of(name), training=False), expected[f"trained_{name}"], **CLOSE)
    found = model.evaluate(inputs_of(name), targets(model, name), verbose=0)
    np.testing.assert_allclose(found, expected[f"trained_{name}/evaluated"], **CLOSE)


@pytest.mark.parametrize("name", NAMES)
def test_config_and_weights_lie_where_keras_puts_them(name, tmp_path):
    """Same archive members, same JSON but for names that Keras adds, same HDF5 paths and names."""
    import json
    import zipfile

    ours = tmp_path / f"{name}.keras"
    model = BUILDERS[name](kcompile)
    model.save(ours)
    theirs = FIXTURES / f"{name}.keras"
    with zipfile.ZipFile(ours) as a, zipfile.ZipFile(theirs) as b:
        assert a.namelist() == b.namelist()
        ours_config, their_config = (json.loads(z.read("config.json")) for z in (a, b))
        assert paths_in(a) == paths_in(b)
    assert outline(ours_config) == outline(their_config)


def paths_in(archive):
    import io

    import h5py

    found = {}
    with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as root:
        root.visititems(lambda name, item: found.update({name: getattr(item, "shape", None)}))
    return found


def outline(config):
    """Modules, classes and inputs of a config's objects, without automatic names and identities."""
    if isinstance(config, list):
        return [outline(x) for x in config]
    if not isinstance(config, dict):
        return None
    kept = {k: config[k] for k in ("module", "class_name", "registered_name") if k in config}
    if config.get("class_name") in LOCAL:
        kept.pop("module")
    return kept | {
        k: outline(v) for k, v in config.items() if k in ("config", "layers", "inbound_nodes", "args")
    }


LOCAL = {"Blocks"}  # a class of the tests: its module is known to neither


# --- the other way ------------------------------------------------------------------------------------------


def keras_python():
    """An interpreter that has real Keras: the one that KCOMPILE_TEST_KERAS names, or this one."""
    named = os.environ.get("KCOMPILE_TEST_KERAS")
    if named:
        return named
    if importlib.util.find_spec("keras") is None:
        pytest.skip("real Keras is not installed; KCOMPILE_TEST_KERAS names an interpreter that has it")
    return sys.executable


@pytest.mark.parity
@pytest.mark.slow
def test_real_keras_loads_our_files(tmp_path):
    python = keras_python()
    mine = {}
    for name in NAMES:
        model = BUILDERS[name](kcompile)
        model.set_weights(numbers_for([w.shape for w in model.weights]))
        model.save(tmp_path / f"{name}.keras")
        mine[name] = {f"output{k}": y for k, y in enumerate(flat(model(inputs_of(name), training=False)))}
    for name in TRAINED:
        model = train(kcompile, name)
        model.save(tmp_path / f"trained_{name}.keras")
        model.save_weights(tmp_path / f"trained_{name}.weights.h5")
        mine[f"trained_{name}"] = {
            "output0": model(inputs_of(name), training=False),
            "evaluated": np.asarray(model.evaluate(inputs_of(name), targets(model, name), verbose=0)),
            "slots": slots_of(model),
        }
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([python, HERE / "with_keras.py", "load", tmp_path], check=True, env=environment)
    for name, outputs in mine.items():
        theirs = np.load(tmp_path / f"{name}.npz")
        for key, value in outputs.items():
            np.testing.assert_allclose(theirs[key], value, err_msg=f"{name} {key}", **CLOSE)
