"""Assets of layers in .keras files: nothing but the archive is read, and nothing outside is written."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, saving

SECRET = "the secret of another file"
NAME = "assets/layers/string_lookup/vocabulary.txt"


@pytest.fixture
def parts(tmp_path):
    """The members of an honest file."""
    keras.utils.clear_session()
    lookup = layers.StringLookup(name="string_lookup")
    lookup.adapt(["a", "b", "b"])
    keras.Sequential([keras.Input((1,), dtype="string"), lookup]).save(tmp_path / "good.keras")
    with zipfile.ZipFile(tmp_path / "good.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def load(parts, tmp_path, **options):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return saving.load_model(path, **options)


def with_setting(parts, name, value):
    config = json.loads(parts["config.json"])
    config["config"]["layers"][1]["config"][name] = value
    return {**parts, "config.json": json.dumps(config)}


def test_the_honest_file_loads(parts, tmp_path):
    assert load(parts, tmp_path).layers[0].get_vocabulary() == ["[UNK]", "b", "a"]


@pytest.fixture
def opened(monkeypatch):
    """Names of the files that are opened."""
    names = []
    real = Path.open

    def note(self, *args, **kwargs):
        names.append(str(self))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", note)
    return names


@pytest.mark.parametrize("safe_mode", [True, False])
@pytest.mark.parametrize("kind", ["path", "url", "missing"])
@pytest.mark.parametrize("layer", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_a_vocabulary_outside_of_the_archive_is_refused(parts, tmp_path, opened, layer, kind, safe_mode):
    """CVE-2025-12058: a config that names a file or an address as the vocabulary."""
    secret = tmp_path / "secret.txt"
    secret.write_text(f"{SECRET}\n")
    value = {"path": str(secret), "url": "https://example.org/v.txt", "missing": "/no/such/file"}[kind]
    config = json.loads(parts["config.json"])
    entry = config["config"]["layers"][1]
    entry["class_name"] = layer
    entry["config"] = getattr(layers, layer)(name="string_lookup").get_config() | {"vocabulary": value}
    opened.clear()
    with pytest.raises(ValueError, match="outside of the model archive") as caught:
        load({**parts, "config.json": json.dumps(config)}, tmp_path, safe_mode=safe_mode)
    assert SECRET not in str(caught.value)
    assert str(secret) not in opened


def test_so_is_one_in_a_config_alone(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    config = {"class_name": "StringLookup", "config": {"vocabulary": str(secret)}}
    for read in (layers.deserialize, saving.deserialize_keras_object):
        with pytest.raises(ValueError, match="outside of the model archive"):
            read(config)
    nested = {"class_name": "FeatureSpace", "module": "keras.utils", "config": {"features": {"a": {
        "class_name": "Feature", "module": "keras.src.layers.preprocessing.feature_space",
        "config": {"dtype": "string", "preprocessor": config, "output_mode": "int"}}}}}  # fmt: skip
    with pytest.raises(ValueError, match="outside of the model archive"):
        saving.deserialize_keras_object(nested)
    assert layers.StringLookup(vocabulary=str(secret)).vocabulary_size() == 2  # the user's own wish


def test_a_missing_vocabulary_is_named(parts, tmp_path):
    del parts[NAME]
    with pytest.raises(ValueError, match="no vocabulary of layer 'string_lookup'"):
        load(parts, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "assets/../../evil.txt", "assets/layers/../../../evil.txt", "/evil.txt", "assets//evil.txt",
        "assets/layers/string_lookup/..\\evil.txt", "assets/c:/evil.txt",
    ],
)  # fmt: skip
def test_assets_cannot_leave_their_folder(parts, tmp_path, name):
    before = sorted(os.listdir(tmp_path.parent))
    with pytest.raises(ValueError, match="member"):
        load({**parts, name: b"x"}, tmp_path)
    assert sorted(os.listdir(tmp_path.parent)) == before


def test_a_link_among_the_assets_is_refused(parts, tmp_path):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            info = zipfile.ZipInfo(name)
            if name == NAME:
                info.external_attr, data = 0o120777 << 16, b"/etc/passwd"
            archive.writestr(info, data)
    with pytest.raises(ValueError, match="link"):
        saving.load_model(path)


@pytest.mark.parametrize(
    "data, match", [(b"\xff\xfe", "no UTF-8 text"), (b"a\na\n", "")], ids=["no text", "repeated"]
)
def test_a_damaged_vocabulary_is_refused(parts, tmp_path, data, match):
    with pytest.raises(ValueError, match=match):
        load({**parts, NAME: data}, tmp_path)


def test_repeated_specials_of_a_large_config_stay_bounded(parts, tmp_path):
    """Numbers of OOV indices are settings of a file: they must not make it ask for gigabytes."""
    with pytest.raises(ValueError):
        load(with_setting(parts, "num_oov_indices", -1), tmp_path)


@saving.register_keras_serializable("tests")
class Noted(layers.Layer):
    """A user's layer with files of its own."""

    note = None

    def call(self, x):
        return x

    def save_assets(self, dir_path):
        Path(dir_path, "deep").mkdir()
        Path(dir_path, "deep", "note.txt").write_text(str(self.note))

    def load_assets(self, dir_path):
        self.note = Path(dir_path, "deep", "note.txt").read_text()


def test_a_layer_of_the_user_may_have_assets(tmp_path):
    layer = Noted(name="noted")
    layer.note = "hello"
    keras.Sequential([keras.Input((2,)), layer]).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert archive.read("assets/layers/noted/deep/note.txt") == b"hello"
    again = saving.load_model(tmp_path / "m.keras")
    assert again.layers[0].note == "hello"


def test_vocabularies_keep_unusual_tokens(tmp_path):
    tokens = ["\u2028", "\x1c", "é ü", "\x85", "[UNK]x", " "]
    layer = layers.StringLookup()
    layer.set_vocabulary(tokens)
    model = keras.Sequential([keras.Input((1,), dtype="string"), layer])
    model.save(tmp_path / "m.keras")
    again = saving.load_model(tmp_path / "m.keras")
    assert again.layers[0].get_vocabulary() == ["[UNK]", *tokens]
    np.testing.assert_array_equal(again(np.array([["é ü"]])), [[3]])


@pytest.mark.parametrize("mode", ["int", "count", "tf_idf"])
@pytest.mark.parametrize("kind", ["StringLookup", "TextVectorization"])
@pytest.mark.parametrize("token", ["b\nc", "b\r", "\r\n", b"b\xffc"])
def test_tokens_that_lines_cannot_hold(tmp_path, token, kind, mode):
    options = {} if kind == "StringLookup" else {"standardize": None, "split": None}
    layer = getattr(layers, kind)(output_mode=mode, **options)
    texts = np.array(["a", token, token, "d", "d", "d"], object)
    layer.adapt(texts)
    keras.Sequential([keras.Input((1,), dtype="string"), layer]).save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras").layers[0]
    assert again.get_vocabulary() == layer.get_vocabulary()
    np.testing.assert_array_equal(again(texts[:, None]), layer(texts[:, None]))


def test_plain_tokens_are_lines_alone(parts):
    assert [name for name in parts if name.startswith("assets")] == [NAME]


@pytest.mark.parametrize("text", ['{"a": 1}', '["a", 3]', "3", "["])
def test_a_damaged_second_file_is_refused(parts, tmp_path, text):
    parts[NAME.replace(".txt", ".json")] = text
    with pytest.raises(ValueError):
        load(parts, tmp_path)


def test_an_h5_file_has_no_place_for_a_vocabulary_and_says_so(tmp_path):
    lookups = [layers.StringLookup(name="learnt"), layers.StringLookup(vocabulary=["a"], name="given")]
    lookups[0].adapt(["a", "b", "b"])
    words = keras.Input((1,), dtype="string")
    model = keras.Model(words, [lookup(words) for lookup in lookups])
    with pytest.warns(UserWarning, match="left out for: learnt. A .keras file holds it"):
        model.save(tmp_path / "m.h5")
