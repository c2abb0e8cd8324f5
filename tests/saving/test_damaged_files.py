"""Damaged files and configs that make no sense: refused with a clear error, never with another."""

from __future__ import annotations

import contextlib
import json
import re

import h5py
import numpy as np
import pytest

import kcompile
from kcompile import saving
from tests.saving.hostile import load, members_of, write_zip


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


@pytest.mark.parametrize("length", [0, 8, 1 << 40])
def test_texts_without_an_end(tmp_path, length):
    """HDF5's library never comes back from a free space of no length among its texts."""
    path = tmp_path / "m.h5"
    kcompile.Sequential([kcompile.Input((3,)), kcompile.layers.Dense(2)]).save(path)
    with h5py.File(path, "a") as file:
        file.attrs["more"] = "text"
    data = bytearray(path.read_bytes())
    changed = 0
    for found in re.finditer(b"GCOL\x01", bytes(data)):
        at = found.start() + 16
        while int.from_bytes(data[at : at + 2], "little"):
            at += 16 + -(-int.from_bytes(data[at + 8 : at + 16], "little") // 8) * 8
        if at + 16 <= found.start() + int.from_bytes(data[found.start() + 8 : found.start() + 16], "little"):
            data[at + 8 : at + 16] = length.to_bytes(8, "little")
            changed += 1
    assert changed
    path.write_bytes(data)
    with pytest.raises(ValueError, match="have no end"):
        saving.load_model(path)
