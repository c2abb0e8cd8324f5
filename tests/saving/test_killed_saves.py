"""A process that is killed while it saves leaves the file before or the new one, never half of one."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import numpy as np
import pytest

import kcompile
from kcompile import layers, saving

ENDINGS = (".keras", ".h5", ".weights.h5")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def network():
    """Large enough that a file is not written at once."""
    return kcompile.Sequential([kcompile.Input((300,)), layers.Dense(500), layers.Dense(20)])


def set_all(model, number):
    model.set_weights([np.full(w.shape, number, "float32") for w in model.weights])


def saving_without_end(path):
    """A process that saves models of ever higher numbers, until it is killed; its id."""
    child = os.fork()
    if child:
        return child
    try:
        model = network()
        for number in range(1, sys.maxsize):
            set_all(model, number)
            (model.save_weights if ".weights" in path.name else model.save)(path)
    finally:
        os._exit(1)


@pytest.mark.parametrize("ending", ENDINGS)
def test_killed_at_random_moments(tmp_path, ending):
    path, rng, seen = tmp_path / f"m{ending}", np.random.default_rng(len(ending)), set()
    network().save(path) if ".weights" not in ending else network().save_weights(path)
    for _ in range(17):
        child = saving_without_end(path)
        time.sleep(rng.random() * 0.1)
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
        model = network() if ".weights" in ending else saving.load_model(path)
        if ".weights" in ending:
            model.load_weights(path)
        values = {float(v) for w in model.get_weights() for v in np.unique(w)}
        seen |= values
        assert len(values) == 1 or not any(v >= 1 for v in values)  # of one save, or the first ones
    assert len(seen) > 2
    for left in set(tmp_path.iterdir()) - {path}:
        os.utime(left, (0, 0))  # a young one may be somebody's
    network().save_weights(path) if ".weights" in ending else network().save(path)
    assert list(tmp_path.iterdir()) == [path]


def killed_after(renames, save, path):
    """A process that saves, and dies when it has renamed so many files; was it before the end?"""
    child = os.fork()
    if not child:
        left, replace = iter(range(renames)), os.replace
        os.replace = lambda *names: replace(*names) if next(left, None) is not None else os._exit(1)
        save(path)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def save_folder(model, path):
    model.save(path, zipped=False)


def save_shards(model, path):
    model.save_weights(path / "a.weights.json", max_shard_size=601_000 / 1024**3)


def load_shards(path):
    model = network()
    model.load_weights(path / "a.weights.json")
    return model


def value_in(load, path):
    """The one number of all weights; None where loading refuses files of two saves."""
    try:
        model = load(path)
    except ValueError as error:
        assert "is not the file that was saved together with" in str(error)
        return None
    (value,) = {float(v) for w in model.get_weights() for v in np.unique(w)}
    return value


def without_checksums(path):
    """As Keras writes the JSON file that would hold them."""
    for file in (path / "metadata.json", path / "a.weights.json"):
        if file.exists():
            found = json.loads(file.read_text())
            [notes.pop("checksums", None) for notes in (found, found.get("metadata", {}))]
            file.write_text(json.dumps(found))


@pytest.mark.parametrize("before", [lambda path: None, without_checksums], ids=["ours", "without_checksums"])
@pytest.mark.parametrize("save, load", [(save_folder, saving.load_model), (save_shards, load_shards)])
def test_killed_between_two_renames(tmp_path, save, load, before):
    """What was written together is loaded, or nothing."""
    model, found = network(), []
    for renames in range(9):
        set_all(model, 1)
        save(model, tmp_path)
        before(tmp_path)
        set_all(model, 2)
        killed = killed_after(renames, lambda path: save(model, path), tmp_path)
        found.append(value_in(load, tmp_path))
        if not killed:
            break
    assert found[0] == 1 and found[-1] == 2 and None in found and not killed
    assert found == sorted(found, key=[1, None, 2].index)
