"""Makes files that do harm: archives of given members, names of code, HDF5 that is more than arrays."""

from __future__ import annotations

import io
import json
import zipfile

import h5py
import numpy as np

from kcompile import saving


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


def write_zip(path, members):
    """members: (name or ZipInfo, data, compression)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data, method in members:
            archive.writestr(name, data, method)
    return path


def members_of(good):
    return [(name, data, zipfile.ZIP_STORED) for name, data in good.items()]


def weights_with(good, change):
    """The honest weights file after `change(file)`."""
    buffer = io.BytesIO(good["model.weights.h5"])
    with h5py.File(buffer, "a") as file:
        change(file)
    return {**good, "model.weights.h5": buffer.getvalue()}


EVIL = "evil_module_of_a_file"


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
    "large_items": (replaced(lambda f: f.create_dataset(KERNEL, (3, 2), "V100000000")), "dtype"),
    "large_chunk": (
        replaced(
            lambda f: f.create_dataset(
                KERNEL, (3, 2), "f4", maxshape=(None, 2), chunks=(10**8, 2), compression="gzip"
            )
        ),
        "chunks",
    ),
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
