"""Models as folders: `save(zipped=False)`."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers


def with_vocabularies(count):
    """A model of as many vocabularies, and words for it."""
    inputs = [keras.Input((1,), dtype="string") for _ in range(count)]
    lookups = [layers.StringLookup() for _ in inputs]
    for lookup in lookups:
        lookup.adapt(["x", "y", "y"])
    outputs = [lookup(x) for lookup, x in zip(lookups, inputs, strict=True)]
    return keras.Model(inputs, outputs), [np.array([["x"], ["z"]], object)] * count


def failing_copy(source, target):
    target.write(source.read(3))
    raise OSError("the disk is full")


def test_a_model_as_a_folder(tmp_path, monkeypatch):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.save(tmp_path / "model", zipped=False)
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names >= {"config.json", "metadata.json", "model.weights.h5"}
    again = keras.models.load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr("kcompile.saving.folders.shutil", SimpleNamespace(copyfileobj=failing_copy))
        with pytest.raises(OSError, match="disk"):
            model.save(tmp_path / "model", zipped=False)
    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == before
    with pytest.raises(ValueError, match=r"should not end in `.keras`"):
        model.save(tmp_path / "model.keras", zipped=False)


def failing_weights(copied):
    """A copy of files whose second, the weights, finds the disk full."""

    def copy(source, target):
        copied.append(target.write(source.read()))
        if len(copied) == 2:
            raise OSError("disk full")

    return SimpleNamespace(copyfileobj=copy)


def test_a_disk_that_is_full_leaves_the_folder_that_was_there(tmp_path, monkeypatch):
    linear, rectified = (
        keras.Sequential([keras.Input((3,)), layers.Dense(4, activation=name)]) for name in (None, "relu")
    )
    linear.save(tmp_path, zipped=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr("kcompile.saving.folders.shutil", failing_weights([]))
    with pytest.raises(OSError, match="disk full"):
        rectified.save(tmp_path, zipped=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_else_lies_in_a_folder_is_not_read(tmp_path, monkeypatch):
    """A README, what a killed process left, links to elsewhere, names that no archive may have."""
    folder, outside = tmp_path / "model", tmp_path / "outside"
    model, words = with_vocabularies(1)
    model.save(folder, zipped=False)
    outside.mkdir()
    for name in ("README.md", ".config.json.0badcafe.part", "assets/12:30.txt", "../outside/secret"):
        (folder / name).write_text("no model")
    (folder / "assets" / "link").symlink_to(outside)
    (folder / "secret").symlink_to(outside / "secret")
    read, opened = set(), Path.open
    monkeypatch.setattr(Path, "open", lambda p, *args, **how: read.add(p) or opened(p, *args, **how))
    again = keras.models.load_model(folder)
    inside = {path.relative_to(folder).as_posix() for path in read if path.is_relative_to(folder)}
    assert inside == {
        "metadata.json", "config.json", "model.weights.h5", "assets/layers/string_lookup/vocabulary.txt",
    }  # fmt: skip
    np.testing.assert_array_equal(again(words), model(words))


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "vocabulary.txt"])
def test_files_of_two_saves_are_refused(tmp_path, name):
    """As a process leaves them that is killed between two renames."""
    model, _ = with_vocabularies(1)
    model.save(tmp_path / "old", zipped=False)
    model.layers[-1].adapt(["a", "b", "c"])
    again = keras.Model(model.inputs, [*model.outputs, layers.Dense(1)(model.outputs[0])])
    again.save(tmp_path / "new", zipped=False)
    old, new = (next((tmp_path / folder).rglob(name)) for folder in ("old", "new"))
    old.write_bytes(new.read_bytes())
    with pytest.raises(
        ValueError, match=f"{name} is not the file that was saved together with metadata.json"
    ):
        keras.models.load_model(tmp_path / "old")


def test_a_folder_of_keras_has_no_checksums(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.save(tmp_path, zipped=False)
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    assert metadata.pop("checksums").keys() == {"config.json", "model.weights.h5"}
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    (tmp_path / "config.json").write_text((tmp_path / "config.json").read_text().replace("linear", "relu"))
    assert keras.models.load_model(tmp_path).layers[0].activation is keras.activations.relu
    (tmp_path / "metadata.json").write_text(json.dumps({**metadata, "checksums": [3]}))
    with pytest.raises(ValueError, match="numbers by names of files"):
        keras.models.load_model(tmp_path)


class Keeping(layers.Layer):
    """A layer with so many files."""

    def __init__(self, count, **kwargs):
        super().__init__(**kwargs)
        self.count, self.found = count, None

    def call(self, x):
        return x

    def save_assets(self, folder):
        for k in range(self.count):
            Path(folder, f"{k}.txt").write_text(str(k))

    def load_assets(self, folder):
        self.found = sorted(os.listdir(folder))

    def get_config(self):
        return {**super().get_config(), "count": self.count}


def test_assets_of_an_earlier_save_are_passed_over(tmp_path):
    for count in (3, 1):
        keras.Sequential([keras.Input((3,)), Keeping(count)]).save(tmp_path, zipped=False)
    again = keras.models.load_model(tmp_path, custom_objects={"Keeping": Keeping})
    assert again.layers[0].found == ["0.txt"]


def test_files_of_a_model_may_be_links(tmp_path):
    """As huggingface_hub lays them out."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.save(tmp_path / "blobs", zipped=False)
    (tmp_path / "snapshot").mkdir()
    for file in (tmp_path / "blobs").iterdir():
        (tmp_path / "snapshot" / file.name).symlink_to(f"../blobs/{file.name}")
    again = keras.models.load_model(tmp_path / "snapshot")
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    (tmp_path / "blobs" / "config.json").unlink()
    with pytest.raises(ValueError, match=r"no config.json, config.json is a link to no file"):
        keras.models.load_model(tmp_path / "snapshot")


@pytest.mark.parametrize(
    "place", ["", "/layers", "/layers/string_lookup", "/layers/string_lookup/vocabulary.txt"]
)
def test_assets_that_are_links_are_refused(tmp_path, place):
    """A vocabulary is any text: a link would make one of any file."""
    model, _ = with_vocabularies(1)
    model.save(tmp_path / "model", zipped=False)
    linked = tmp_path / f"model/assets{place}"
    linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=f"model: assets{place} is refused(.|\n)*a link"):
        keras.models.load_model(tmp_path / "model")


def test_a_link_beside_a_vocabulary_is_refused(tmp_path):
    """It may be one of the files that the layer reads."""
    model, _ = with_vocabularies(1)
    model.save(tmp_path, zipped=False)
    (tmp_path / "assets/layers/string_lookup/vocabulary.json").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match=r"vocabulary.json is refused(.|\n)*a link"):
        keras.models.load_model(tmp_path)


def test_a_missing_vocabulary_is_named_with_its_place(tmp_path):
    model, _ = with_vocabularies(1)
    model.save(tmp_path / "model", zipped=False)
    (tmp_path / "model/assets/layers/string_lookup/vocabulary.txt").unlink()
    with pytest.raises(
        ValueError, match="^model: assets/layers/string_lookup: There is no vocabulary of layer"
    ):
        keras.models.load_model(tmp_path / "model")


def test_a_large_config_is_refused(tmp_path):
    keras.Sequential([keras.Input((3,)), layers.Dense(1)]).save(tmp_path, zipped=False)
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match=r"config.json is refused(.|\n)*more bytes"):
        keras.models.load_model(tmp_path)


def test_an_empty_folder_is_no_model(tmp_path):
    with pytest.raises(ValueError, match=r"config\.json"):
        keras.models.load_model(tmp_path)


def test_a_save_that_fails_leaves_no_new_folder(tmp_path, monkeypatch):
    model, _ = with_vocabularies(1)
    monkeypatch.setattr("kcompile.saving.folders.shutil", failing_weights([]))
    (tmp_path / "old").mkdir()
    with pytest.raises(OSError, match="disk full"):
        model.save(tmp_path / "old" / "some" / "model", zipped=False)
    assert list(tmp_path.rglob("*")) == [tmp_path / "old"]


def test_a_folder_may_have_more_files_than_a_process_may_open(tmp_path):
    model, _ = with_vocabularies(40)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, limits[1]))
    try:
        model.save(tmp_path, zipped=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(list(tmp_path.rglob("vocabulary.txt"))) == 40
