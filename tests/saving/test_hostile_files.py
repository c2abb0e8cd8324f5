"""Files that somebody made to do harm, or that are damaged: refused with a clear error, and never run."""

from __future__ import annotations

import contextlib
import io
import json
import stat
import sys
import zipfile

import numpy as np
import pytest

import kcompile
from kcompile import layers, saving

h5py = pytest.importorskip("h5py")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The parts of an honest file."""
    path = tmp_path_factory.mktemp("good") / "m.keras"
    kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2, name="d")]).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def load(parts, tmp_path, **options):
    """Load a file made of these members."""
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return saving.load_model(path, **options)


def config_with(good, change):
    config = json.loads(good["config.json"])
    change(config)
    return {**good, "config.json": json.dumps(config)}


def dense_of(config):
    return config["config"]["layers"][1]


def test_the_honest_file_loads(good, tmp_path):
    assert load(good, tmp_path).layers[0].units == 2


# --- rules 1 and 2: names -----------------------------------------------------------------------------------

EVIL = "evil_module_of_a_file"


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


def entry(module, name, config, registered=None):
    return {"module": module, "class_name": name, "config": config, "registered_name": registered}


ENTRIES = {
    "own_module": entry(EVIL, "run", {}),
    "function_of_a_module": entry(EVIL, "function", "run", "run"),
    "os_system": entry("os", "system", {"command": "true"}),
    "eval": entry("builtins", "function", "eval", "eval"),
    "subprocess": entry("subprocess", "Popen", {"args": ["true"]}, "Popen"),
    "private_module": entry("keras.src.utils.python_utils", "func_load", {"code": "x"}),
    "download": entry("keras.utils", "get_file", {"fname": "x", "origin": "http://localhost/x"}),
    "settings": entry("keras.config", "enable_unsafe_deserialization", {}),
    "pickles": entry("keras.layers", "TorchModuleWrapper", {"module": "x"}),
    "saved_model": entry("keras.layers", "TFSMLayer", {"filepath": "/etc"}),
    "vocabulary_file": entry("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"}),
    "vocabulary_url": entry("keras.layers", "IntegerLookup", {"vocabulary": "http://localhost/words"}),
    "vocabulary_of_text": entry("keras.layers", "TextVectorization", {"vocabulary": "/etc/passwd"}),
    "class_as_function": entry("builtins", "function", "Sequential", "function"),
    "lambda": {"class_name": "__lambda__", "config": {"value": ["4wEAAAA=", None, None]}},
    "typespec": {"class_name": "__typespec__", "spec_name": "run", "module": EVIL, "config": []},
    "odd_name": entry("keras.layers", "Dense; import os", {}),
    "parent": entry("keras..os", "Dense2", {}),
}


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


def test_a_lambda_is_refused_with_a_remedy(good, tmp_path):
    layer = entry("keras.layers", "Lambda", {"name": "l", "function": ENTRIES["lambda"], "arguments": {}})
    parts = config_with(good, lambda c: c["config"]["layers"].append(layer))
    with pytest.raises(ValueError, match="register_keras_serializable") as caught:
        load(parts, tmp_path, safe_mode=False)
    assert "never run" in str(caught.value)
    with pytest.raises(ValueError, match="lambda cannot be serialized"):
        kcompile.Sequential([kcompile.Input((3,)), layers.Lambda(lambda x: x)]).save(tmp_path / "l.keras")
    assert not (tmp_path / "l.keras").exists()


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


# --- rule 3: JSON -------------------------------------------------------------------------------------------

BAD_JSON = {
    "too_long": (b" " * (16 << 20) + b"{}", "at most 16,777,216"),
    "too_deep": (b"[" * 100_000 + b"]" * 100_000, "nesting"),
    "nan": (b'{"class_name": "Dense", "config": {"units": NaN}}', "NaN"),
    "infinity": (b'{"class_name": "Dense", "config": {"units": -Infinity}}', "-Infinity"),
    "overflow": (b'{"class_name": "Dense", "config": {"units": 1e999}}', "1e999"),
    "large_int": (b'{"class_name": "Dense", "config": {"units": 99999999999999999999}}', "9999"),
    "very_large_int": (b'{"a": ' + b"9" * 100_000 + b"}", "9999"),
    "duplicate": (b'{"class_name": "Dense", "class_name": "Lambda", "config": {}}', "'class_name' twice"),
    "long_string": (
        b'{"class_name": "Dense", "config": {"units": "' + b"a" * 70_000 + b'"}}',
        "70,000 characters",
    ),
    "control": (b'{"class_name": "Dense", "config": {"name": "a\\u0000b"}}', "printable"),
    "dots": (b'{"class_name": "Dense", "config": {"name": "../a"}}', "name"),
    "many": (b"[" + b'{"class_name": "Dense"},' * 60_000 + b"1]", "60,000 objects"),
    "no_json": (b"{'a': 1}", "not JSON"),
    "no_text": (b"\xff\xfe", "UTF-8"),
    "no_model": (b"[1]", "a model"),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_json_outside_of_the_limits(name, good, tmp_path):
    data, match = BAD_JSON[name]
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in {**good, "config.json": data}.items():
            archive.writestr(member, content)
    with pytest.raises(ValueError, match=match):
        saving.load_model(path)


def test_a_config_that_asks_for_more_memory_than_the_file_holds(good, tmp_path):
    parts = config_with(good, lambda c: dense_of(c)["config"].update(units=10**12))
    with pytest.raises(ValueError, match="larger than the weights of this file allow"):
        load(parts, tmp_path)


@pytest.mark.parametrize("args", [[], [[10**6, 10**6]]])
def test_an_op_that_would_run_while_the_file_is_read(args, tmp_path):
    path = tmp_path / "m.keras"
    x = kcompile.Input((3,), name="x")
    kcompile.Model(x, kcompile.ops.relu(x)).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    node = {"args": args, "kwargs": {}}
    op = entry("keras.src.ops.numpy", "Ones", {"name": "ones", "shape": [10**6] * 2}) | {"name": "ones"}
    parts = config_with(parts, lambda c: c["config"]["layers"].append({**op, "inbound_nodes": [node]}))
    with pytest.raises(ValueError, match="without a tensor"):
        load(parts, tmp_path)


@pytest.mark.parametrize("version", ["4.0.0", "99", "", None, ["3"]])
def test_a_file_from_the_future(version, good, tmp_path):
    with pytest.raises(ValueError, match=r"metadata|Keras"):
        load({**good, "metadata.json": json.dumps({"keras_version": version})}, tmp_path)


# --- rule 4: zip --------------------------------------------------------------------------------------------

NAMES = [
    "../x",
    "/x",
    "a/../../x",
    "assets/../x",
    "assets/..\\x",
    "assets\\x",
    "C:x",
    "assets/C:x",
    "other.json",
]


@pytest.mark.parametrize("name", NAMES)
def test_members_with_other_names(name, good, tmp_path):
    with pytest.raises(ValueError, match="another name"):
        load({**good, name: b"x"}, tmp_path)


@pytest.mark.parametrize("missing", ["metadata.json", "config.json", "model.weights.h5"])
def test_missing_members(missing, good, tmp_path):
    with pytest.raises(ValueError, match=f"no {missing}"):
        load({k: v for k, v in good.items() if k != missing}, tmp_path)


def write_zip(path, members):
    """members: (name or ZipInfo, data, compression)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data, method in members:
            archive.writestr(name, data, method)
    return path


def members_of(good):
    return [(name, data, zipfile.ZIP_STORED) for name, data in good.items()]


def test_links_duplicates_bombs_and_other_compressions(good, tmp_path):
    link = zipfile.ZipInfo("assets/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    bomb = ("assets/bomb", b"\0" * (1 << 20), zipfile.ZIP_DEFLATED)
    cases = {
        "link": [(link, b"/etc/passwd", zipfile.ZIP_STORED)],
        "a link or device": [(link, b"/etc/passwd", zipfile.ZIP_STORED)],
        "at most 100 times": [bomb],
        "another compression": [("assets/x", b"x" * 100, zipfile.ZIP_LZMA)],
    }
    for match, more in cases.items():
        with pytest.raises(ValueError, match=match):
            saving.load_model(write_zip(tmp_path / "m.keras", [*members_of(good), *more]))
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = write_zip(
            tmp_path / "m.keras", [*members_of(good), ("config.json", b"{}", zipfile.ZIP_STORED)]
        )
    with pytest.raises(ValueError, match="'config.json' twice"):
        saving.load_model(twice)


def central_entries(data):
    """Offsets of the entries of a zip file's directory."""
    found, at = [], data.find(b"PK\x01\x02")
    while at >= 0:
        found.append(at)
        at = data.find(b"PK\x01\x02", at + 1)
    return found


def test_members_that_overlap_or_are_encrypted(good, tmp_path):
    path = write_zip(tmp_path / "m.keras", members_of(good))
    data = path.read_bytes()
    first, second, *_ = central_entries(data)
    overlapping = bytearray(data)
    overlapping[second + 42 : second + 46] = (3).to_bytes(4, "little")  # offset of its local header
    encrypted = bytearray(data)
    encrypted[first + 8] |= 1
    for changed, match in ((overlapping, "overlaps"), (encrypted, "encryption")):
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=match):
            saving.load_model(path)


# --- rule 5: HDF5 -------------------------------------------------------------------------------------------


def weights_with(good, change):
    """The honest weights file after `change(file)`."""
    buffer = io.BytesIO(good["model.weights.h5"])
    with h5py.File(buffer, "a") as file:
        change(file)
    return {**good, "model.weights.h5": buffer.getvalue()}


KERNEL = "layers/dense/vars/0"


def replaced(make):
    def change(file):
        del file[KERNEL]
        make(file)

    return change


def external(file):
    file.create_dataset(KERNEL, (3, 2), "f4", external=[("/etc/passwd", 0, 24)])


def virtual(file):
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3, 2))
    file.create_virtual_dataset(KERNEL, layout)


def cycle(file):
    file["layers/dense/vars/loop"] = file["layers"]


HDF5 = {
    "soft": (replaced(lambda f: f.__setitem__(KERNEL, h5py.SoftLink("/vars"))), "SoftLink"),
    "external_link": (
        replaced(lambda f: f.__setitem__(KERNEL, h5py.ExternalLink("/etc/passwd", "/x"))),
        "ExternalLink",
    ),
    "soft_group": (lambda f: f.__setitem__("other", h5py.SoftLink("/layers")), "SoftLink"),
    "external_storage": (replaced(external), "another file"),
    "virtual": (replaced(virtual), "another file"),
    "hard_link": (replaced(lambda f: f.__setitem__(KERNEL, f["layers/dense/vars/1"])), "two hard links"),
    "cycle": (cycle, "two hard links"),
    "text": (replaced(lambda f: f.create_dataset(KERNEL, (3, 2), h5py.string_dtype())), "dtype object"),
    "reference": (replaced(lambda f: f.create_dataset(KERNEL, (3, 2), h5py.ref_dtype)), "dtype object"),
    "varying": (replaced(lambda f: f.create_dataset(KERNEL, (3, 2), h5py.vlen_dtype("f4"))), "dtype object"),
    "opaque": (replaced(lambda f: f.create_dataset(KERNEL, (3, 2), "V2")), "dtype"),
    "filter": (
        replaced(lambda f: f.create_dataset(KERNEL, (3, 2), "f4", chunks=(3, 2), compression="lzf")),
        "filters",
    ),
    "shape_bomb": (
        replaced(
            lambda f: f.create_dataset(KERNEL, (10**6, 10**6), "f4", chunks=(1000, 1000), compression="gzip")
        ),
        r"kernel has the shape \(3, 2\), in the file \(1000000, 1000000\)",
    ),
    "group": (replaced(lambda f: f.create_group(KERNEL)), "no array"),
    "type": (replaced(lambda f: f.__setitem__(KERNEL, np.dtype("f4"))), "Datatype"),
    "missing": (replaced(lambda f: None), r"kernel \(3, 2\) is missing"),
    "more": (lambda f: f.__setitem__("layers/dense/vars/2", np.ones(2)), "'2' is not used"),
    "stranger": (
        lambda f: f.__setitem__("layers/dense_1/vars/0", np.ones(2)),
        "layers/dense_1/vars/0: not used",
    ),
    "other_shape": (
        replaced(lambda f: f.__setitem__(KERNEL, np.ones((2, 3), "f4"))),
        r"in the file \(2, 3\)",
    ),
}


@pytest.mark.parametrize("name", HDF5)
def test_hdf5_that_is_more_than_the_arrays_of_the_model(name, good, tmp_path):
    change, match = HDF5[name]
    with pytest.raises(ValueError, match=match):
        load(weights_with(good, change), tmp_path)


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
    import tracemalloc

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


def test_nothing_is_written_while_a_file_is_read(good, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for parts in ({**good, "../x": b"x"}, good, {**good, "assets/x": b"x"}):
        with contextlib.suppress(ValueError):
            load(parts, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]
    assert not (tmp_path.parent / "x").exists()


def test_too_many_members(good, tmp_path):
    more = {f"assets/{k}": b"" for k in range(10_001)}
    with pytest.raises(ValueError, match="members"):
        load({**good, **more}, tmp_path)


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


# --- damage -------------------------------------------------------------------------------------------------


def test_files_that_are_no_models(tmp_path):
    for name, data in (
        ("a.keras", b""),
        ("b.keras", b"PK\x03\x04"),
        ("c.h5", b"\x89HDF\r\n\x1a\n"),
        ("d.h5", b""),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ValueError, match="damaged"):
            saving.load_model(path)


def test_damaged_bytes_never_give_another_kind_of_error(good, tmp_path):
    path = write_zip(tmp_path / "m.keras", members_of(good))
    data, rng = path.read_bytes(), np.random.default_rng(0)
    loaded = 0
    for _ in range(300):
        changed = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 4)):
            changed[at] = rng.integers(0, 256)
        path.write_bytes(changed[: len(data) if rng.random() < 0.8 else int(rng.integers(0, len(data)))])
        try:
            saving.load_model(path)
            loaded += 1
        except ValueError:
            pass
    assert loaded < 30  # the checksums of the archive see nearly all


def mutated(item, rng):
    """Data with one part replaced by another kind of thing."""
    others = [None, -1, 10**9, 0.5, "x", [], {}, [None], {"class_name": "Dense", "config": None}, True]
    if rng.random() < 0.15 or not isinstance(item, (dict, list)) or not item:
        return others[rng.integers(len(others))]
    if isinstance(item, list):
        at = int(rng.integers(len(item)))
        return [mutated(x, rng) if k == at else x for k, x in enumerate(item)]
    key = list(item)[int(rng.integers(len(item)))]
    if rng.random() < 0.2:
        return {k: v for k, v in item.items() if k != key}
    return {k: mutated(v, rng) if k == key else v for k, v in item.items()}


def test_configs_that_make_no_sense_never_give_another_kind_of_error(good, tmp_path):
    rng, config = np.random.default_rng(1), json.loads(good["config.json"])
    config["compile_config"] = {"optimizer": "sgd", "loss": "mse", "metrics": ["mae"]}
    for _ in range(300):
        with contextlib.suppress(ValueError, TypeError):
            load({**good, "config.json": json.dumps(mutated(config, rng))}, tmp_path)
