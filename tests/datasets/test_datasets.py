"""The data sets besides MNIST, on small files of their form, against real Keras; and hostile files."""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

import kcompile
from kcompile.datasets import pickled
from kcompile.utils.downloads import file_digest
from tests.datasets import small_files

FIXTURE = json.loads((Path(__file__).with_name("small.json")).read_text())
FILES = {
    "imdb": "imdb.npz",
    "reuters": "reuters.npz",
    "boston_housing": "boston_housing.npz",
    "california_housing": "california_housing.npz",
    "cifar10": "cifar-10-batches-py-target_archive",
    "cifar100": "cifar-100-python-target_archive",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    small_files.make(folder / "datasets")
    return folder


def no_network(*args, **kwargs):
    raise OSError("Name or service not known")


def module_of(name):
    return importlib.import_module(f"kcompile.datasets.{name}")


@pytest.fixture
def cache(files, monkeypatch):
    """A cache with the small files, whose hashes are those expected; and no network."""
    monkeypatch.setenv("KCOMPILE_HOME", str(files))
    monkeypatch.setattr("kcompile.utils.downloads.urlopen", no_network)
    for name, file in FILES.items():
        monkeypatch.setattr(module_of(name), "HASH", file_digest(files / "datasets" / file))
    for name in ("imdb", "reuters"):
        index = files / "datasets" / f"{name}_word_index.json"
        monkeypatch.setattr(module_of(name), "INDEX_HASH", file_digest(index, "md5"))
    return files / "datasets"


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("KCOMPILE_HOME", str(tmp_path))
    monkeypatch.setattr("kcompile.utils.downloads.urlopen", no_network)
    return tmp_path


CASES = [(name, k) for name, calls in small_files.CALLS.items() for k in range(len(calls))]


@pytest.mark.parametrize(("name", "k"), CASES)
def test_what_keras_makes_of_the_same_file(name, k, cache):
    found = small_files.described(module_of(name).load_data(**small_files.CALLS[name][k]))
    assert found == FIXTURE[name][k]


def test_other_parts(cache):
    assert kcompile.datasets.imdb.get_word_index() == {"the": 1, "film": 2}
    assert kcompile.datasets.reuters.get_word_index()["film"] == 2
    assert list(kcompile.datasets.reuters.get_label_names()) == FIXTURE["labels"]
    with pytest.raises(ValueError, match="Increase maxlen"):
        kcompile.datasets.imdb.load_data(maxlen=1)
    for name in ("boston_housing", "california_housing"):
        with pytest.raises(ValueError, match="`test_split`"):
            module_of(name).load_data(test_split=1.0)
    with pytest.raises(ValueError, match="'small', 'large'"):
        kcompile.datasets.california_housing.load_data("medium")
    with pytest.raises(ValueError, match="label_mode"):
        kcompile.datasets.cifar100.load_data("middle")


def test_channels_first(cache):
    from kcompile.core.config import set_image_data_format

    set_image_data_format("channels_first")
    try:
        (x_train, _), (x_test, _) = kcompile.datasets.cifar100.load_data()
    finally:
        set_image_data_format("channels_last")
    assert x_train.shape == (7, 3, 32, 32) and x_test.shape == (3, 3, 32, 32)
    np.testing.assert_array_equal(kcompile.datasets.cifar100.load_data()[1][0], x_test.transpose(0, 2, 3, 1))


def test_signatures():
    for name, expected in {
        "imdb": "path num_words skip_top maxlen seed start_char oov_char index_from",
        "reuters": "path num_words skip_top maxlen test_split seed start_char oov_char index_from",
        "boston_housing": "path test_split seed",
        "california_housing": "version path test_split seed",
        "cifar10": "",
        "cifar100": "label_mode",
        "fashion_mnist": "",
    }.items():
        assert list(inspect.signature(module_of(name).load_data).parameters) == expected.split()


@pytest.mark.parametrize("name", [*FILES, "fashion_mnist"])
def test_without_network_the_error_says_where_the_file_goes(name, empty):
    with pytest.raises(ConnectionError, match="Put the file there yourself") as caught:
        module_of(name).load_data()
    text = str(caught.value)
    assert "Name or service not known" in text and str(empty / "datasets") in text and "https://" in text


@pytest.mark.parametrize("name", FILES)
def test_another_file_in_the_cache_is_not_used(name, empty):
    (empty / "datasets").mkdir()
    (empty / "datasets" / FILES[name]).write_bytes(b"another")
    with pytest.raises(ConnectionError):
        module_of(name).load_data()


# --- hostile ------------------------------------------------------------------------------------------------


class Command:
    def __reduce__(self):
        return os.system, ("touch /tmp/kcompile_was_here",)


@pytest.mark.parametrize("evil", [Command(), [Command()], {"a": Command()}, os.system, print, Path("x")])
def test_pickles_that_name_anything_but_arrays(evil):
    with pytest.raises(ValueError, match="only arrays are read"):
        pickled.load_pickle(io.BytesIO(pickle.dumps(evil)))
    assert not Path("/tmp/kcompile_was_here").exists()


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"cos\nsystem\n(S'x'\ntR.", b"\x80\x02]q\x00K\x01e.", b"K\x01"]
)
def test_damaged_pickles(data):
    with pytest.raises(ValueError, match="not a pickle of arrays"):
        pickled.load_pickle(io.BytesIO(data))


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_npz_files_that_are_not_what_they_say(tmp_path):
    evil = np.empty(1, object)
    evil[0] = Command()
    with pytest.raises(ValueError, match="only arrays are read"):
        pickled.load_npz(npz(tmp_path / "a.npz", x=evil), ("x",))
    assert not Path("/tmp/kcompile_was_here").exists()
    with pytest.raises(ValueError, match="not the .npz file expected"):
        pickled.load_npz(npz(tmp_path / "b.npz", y=np.ones(2)), ("x",))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"shape": (10**12,), "fortran_order": False, "descr": "<f8"})
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue() + b"\0" * 80)
    with pytest.raises(ValueError, match="claims the shape"):
        pickled.load_npz(tmp_path / "c.npz", ("x",))
    other = np.lib.format.magic(1, 0) + header.getvalue()[8:]
    swapped = other.replace(b"<f8", b"|O ", 1) + pickle.dumps([1])
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", swapped)
    with pytest.raises(ValueError, match="other than its header says|not the .npz"):
        pickled.load_npz(tmp_path / "d.npz", ("x",))
    (tmp_path / "e.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match="not the .npz file expected"):
        pickled.load_npz(tmp_path / "e.npz", ("x",))


def test_tar_files_are_read_and_never_unpacked(tmp_path, monkeypatch):
    from kcompile.datasets.cifar import read_batches

    monkeypatch.chdir(tmp_path)
    path, member = tmp_path / "a.tar", "cifar-100-python/train"

    def write(*infos):
        with tarfile.open(path, "w") as archive:
            for info, data in infos:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))

    link = tarfile.TarInfo(member)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    outside = tarfile.TarInfo("../../outside")
    write((link, b""), (outside, b"x"))
    with pytest.raises(ValueError, match="not the archive expected"):
        read_batches(path, [member], "fine_labels")
    write((tarfile.TarInfo(member), pickle.dumps({b"data": Command()})))
    with pytest.raises(ValueError, match="only arrays are read"):
        read_batches(path, [member], "fine_labels")
    for content in ({b"data": np.zeros((2, 3072), "u1"), b"fine_labels": [1]}, [1], {b"data": np.zeros(5)}):
        write((tarfile.TarInfo(member), pickle.dumps(content)))
        with pytest.raises(ValueError, match="not the archive expected"):
            read_batches(path, [member], "fine_labels")
    path.write_bytes(b"no tar")
    with pytest.raises(ValueError, match="not the archive expected"):
        read_batches(path, [member], "fine_labels")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar"]


def test_idx_files_of_another_size(tmp_path, monkeypatch):
    import gzip

    from kcompile.datasets import fashion_mnist

    monkeypatch.setenv("KCOMPILE_HOME", str(tmp_path))
    folder = tmp_path / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    name = folder / "train-images-idx3-ubyte.gz"
    small_files.write_idx(name, (6, 28, 28))
    with pytest.raises(ValueError, match="not 47040000 bytes"):
        fashion_mnist.load_data()
    name.write_bytes(gzip.compress(b"\0" * 200_000_000, 1))  # a bomb: no more than expected is unpacked
    with pytest.raises(ValueError, match="not 47040000 bytes"):
        fashion_mnist.load_data()
    name.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not the gzip file expected"):
        fashion_mnist.load_data()
