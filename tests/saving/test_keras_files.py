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
from tests.saving.cases import EXACT, NAMES, TRAINED, evaluated, more_losses, numbers_for, train
from tests.saving.with_keras import WITH_H5, described, flat, slots

HERE = Path(__file__).resolve().parent
FIXTURES = HERE / "fixtures"
CLOSE = {"rtol": 1e-5, "atol": 1e-5}  # sums of float32 products in another order
ENDINGS = [(name, ".keras") for name in NAMES] + [(name, ".h5") for name in WITH_H5]
TRAINED_ENDINGS = [(name, end) for name, end in ENDINGS if name in TRAINED]


@pytest.fixture(scope="module")
def expected():
    return np.load(FIXTURES / "expected.npz")


def custom_objects(name):
    return {"Blocks": type(BUILDERS[name](kcompile))} if name == "subclassed" else None


def check_outputs(model, name, expected, of):
    for k, y in enumerate(flat(model(inputs_of(name), training=False))):
        np.testing.assert_allclose(y, expected[f"{of}/{k}"], **CLOSE)


@pytest.mark.parametrize(("name", "ending"), ENDINGS)
def test_models_that_keras_saved(name, ending, expected):
    model = saving.load_model(FIXTURES / f"{name}{ending}", custom_objects(name))
    check_outputs(model, name, expected, name)
    assert not model.compiled


@pytest.mark.parametrize(("name", "ending"), TRAINED_ENDINGS)
def test_trained_models_that_keras_saved(name, ending, expected):
    """Equal outputs, losses, metrics and optimizer state; and training goes on with equal losses."""
    of = f"trained_{name}"
    model = saving.load_model(FIXTURES / f"{of}{ending}", custom_objects(name))
    check_outputs(model, name, expected, of)
    np.testing.assert_array_equal(slots(model), expected[f"{of}/slots"])
    np.testing.assert_allclose(evaluated(model, name), expected[f"{of}/evaluated"], **CLOSE)
    if name in EXACT:
        np.testing.assert_allclose(more_losses(model, name), expected[f"{of}/losses"], rtol=1e-4)


@pytest.mark.parametrize("name", TRAINED)
def test_weights_that_keras_saved(name, expected):
    for ending in (".weights.h5", ".keras", ".h5"):
        if ending == ".h5" and name not in WITH_H5:
            continue
        model = BUILDERS[name](kcompile)
        model.load_weights(FIXTURES / f"trained_{name}{ending}")
        check_outputs(model, name, expected, f"trained_{name}")


@pytest.mark.parametrize("name", WITH_H5)
def test_the_older_format_is_written_as_keras_writes_it(name, tmp_path):
    """The same groups, arrays and attributes, and the same JSON but for automatic names."""
    import json

    import h5py

    kcompile.utils.clear_session()
    BUILDERS[name](kcompile).save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as ours, h5py.File(FIXTURES / f"{name}.h5") as theirs:
        assert sorted(ours.attrs) == sorted(theirs.attrs)
        configs = [json.loads(f.attrs["model_config"]) for f in (ours, theirs)]
        for config in configs:
            without_op_addresses(config)
        assert outline(configs[0]) == outline(configs[1])
        assert keys_of(configs[0]) == keys_of(configs[1])
        groups = [f["model_weights"] for f in (ours, theirs)]
        for a, b in [(g.attrs["layer_names"], h.attrs["layer_names"]) for g, h in [groups]]:
            assert [type(x) for x in a] == [type(x) for x in b]
        shapes = [
            [g[n][w].shape for n in g.attrs["layer_names"] for w in g[n].attrs["weight_names"]]
            for g in groups
        ]
        assert shapes[0] == shapes[1]


def without_op_addresses(config):
    """We keep the module of an op; Keras, which drops it, cannot load the file then."""
    for layer in config["config"]["layers"]:
        if str(layer.get("module")).startswith("keras.src.ops"):
            del layer["module"], layer["registered_name"]
        if "layers" in layer["config"]:
            without_op_addresses(layer)


def keys_of(config):
    """Which keys a config has, at every level."""
    if isinstance(config, list):
        return [keys_of(x) for x in config]
    return {key: keys_of(value) for key, value in config.items()} if isinstance(config, dict) else None


@pytest.mark.parametrize("name", TRAINED)
def test_our_own_files_of_trained_models(name, tmp_path):
    """What we save we load: outputs, state of the optimizer, metrics, and equal losses afterwards."""
    model = train(kcompile, name)
    for ending in (".keras", ".h5"):
        if (name, ending) not in TRAINED_ENDINGS:
            continue
        model.save(tmp_path / f"m{ending}")
    wanted = described(model, name)
    for path in tmp_path.iterdir():
        found = described(saving.load_model(path, custom_objects(name)), name)
        assert found.keys() == wanted.keys()
        for key, value in found.items():
            np.testing.assert_allclose(value, wanted[key], err_msg=f"{path.name} {key}", rtol=1e-6)


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
        outputs = {f"{k}": y for k, y in enumerate(flat(model(inputs_of(name), training=False)))}
        for ending in [end for n, end in ENDINGS if n == name]:
            model.save(tmp_path / f"{name}{ending}")
            mine[f"{name}{ending}"] = outputs
    for name in TRAINED:
        model = train(kcompile, name)
        for ending in [end for n, end in ENDINGS if n == name]:
            model.save(tmp_path / f"trained_{name}{ending}")
        model.save_weights(tmp_path / f"trained_{name}.weights.h5")
        mine[f"trained_{name}.keras"] = described(model, name)
        # Keras itself does not restore the slots of an optimizer from the older format.
        kept = {k: v for k, v in mine[f"trained_{name}.keras"].items() if k not in ("slots", "losses")}
        if (name, ".h5") in ENDINGS:
            mine[f"trained_{name}.h5"] = kept
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([python, HERE / "with_keras.py", "load", tmp_path], check=True, env=environment)
    for name, outputs in mine.items():
        theirs = np.load(tmp_path / f"{name}.npz")
        for key, value in outputs.items():
            close = {"rtol": 1e-4} if key == "losses" else CLOSE
            np.testing.assert_allclose(theirs[key], value, err_msg=f"{name} {key}", **close)
