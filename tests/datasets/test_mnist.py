"""MNIST: the cache and its checks, the subset, and hostile files."""

from __future__ import annotations

import hashlib
import inspect
import io
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kcompile.datasets import arrays, mnist
from tests.datasets.make_mnist_subset import cut

# MD5 of the idx files that MNIST's authors published, unpacked.
PUBLISHED = {
    "x_train": "6bbc9ace898e44ae57da46a324031adb",
    "y_train": "a25bea736e30d166cdddb491f175f624",
    "x_test": "2646ac647ad5339dbf082846283269ea",
    "y_test": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty cache, and no network: every download fails as it does without one."""
    monkeypatch.setenv("KCOMPILE_HOME", str(tmp_path))
    monkeypatch.setattr("kcompile.utils.downloads.urlopen", no_network)
    (tmp_path / "datasets").mkdir()
    return tmp_path


def no_network(*args, **kwargs):
    raise OSError("Name or service not known")


def as_idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_signature_is_that_of_keras():
    assert str(inspect.signature(mnist.load_data)).startswith("(path: 'str' = 'mnist.npz')")


def test_cached_file_is_read_without_network(home, mnist_path):
    shutil.copy(mnist_path, home / "datasets" / "mnist.npz")
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    found = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    assert {name: hashlib.md5(as_idx(a)).hexdigest() for name, a in found.items()} == PUBLISHED
    assert x_train.shape == (60000, 28, 28)
    assert y_test.shape == (10000,)
    assert x_train.flags.writeable


def test_other_file_in_the_cache_is_not_used(home, mnist_path):
    damaged = bytearray(mnist_path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (home / "datasets" / "mnist.npz").write_bytes(damaged)
    with pytest.raises(ConnectionError, match="not in the cache"):
        mnist.load_data()


def test_without_network_the_error_names_the_way_out(home):
    with pytest.raises(ConnectionError) as caught:
        mnist.load_data()
    text = str(caught.value)
    assert "Name or service not known" in text
    assert str(home / "datasets" / "mnist.npz") in text
    assert "load_subset()" in text
    assert list((home / "datasets").iterdir()) == []  # nothing half-written


def test_a_page_in_place_of_the_file_names_the_way_out(home, monkeypatch):
    """A captive portal answers everything with a page of its own."""
    page = io.BytesIO(b"<html>log in</html>")
    page.headers = {}
    monkeypatch.setattr("urllib.request.urlopen", lambda *args, **kwargs: page)
    with pytest.raises(ConnectionError, match=r"load_subset\(\)"):
        mnist.load_data()


def test_subset_is_the_documented_cut(mnist_path):
    (x_train, y_train), (x_test, y_test) = mnist.load_subset()
    with np.load(mnist_path) as full:
        expected = cut(dict(full))
    np.testing.assert_array_equal(x_train, expected["x_train"])
    np.testing.assert_array_equal(y_train, expected["y_train"])
    np.testing.assert_array_equal(x_test, expected["x_test"])
    np.testing.assert_array_equal(y_test, expected["y_test"])


def test_subset_is_balanced_and_small():
    (x_train, y_train), (_, y_test) = mnist.load_subset()
    assert np.bincount(y_train).tolist() == [1000] * 10
    assert np.bincount(y_test).tolist() == [200] * 10
    assert 30 < x_train.mean() < 36  # the full training set's mean is 33.3
    assert mnist.SUBSET.stat().st_size < 2_100_000


def write_npz(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def npy(array: np.ndarray, claimed_shape: tuple[int, ...] | None = None) -> bytes:
    stream = io.BytesIO()
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": claimed_shape or array.shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + array.tobytes()


def test_reader_reads_what_numpy_writes(tmp_path):
    expected = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.savez_compressed(tmp_path / "a.npz", a=expected)
    np.testing.assert_array_equal(arrays.read_npz(tmp_path / "a.npz", {"a": (2, 3)})["a"], expected)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(npy(np.zeros(1 << 24, np.uint8)), "unpacks to", id="bomb"),
        pytest.param(
            npy(np.zeros(6, np.uint8), (1 << 40,)), r"expected uint8\[2, 3\]", id="claims-terabytes"
        ),
        pytest.param(npy(np.zeros((3, 2), np.uint8)), r"expected uint8\[2, 3\]", id="other-shape"),
        pytest.param(npy(np.zeros((2, 3), np.int8)), "int8", id="other-dtype"),
        pytest.param(npy(np.zeros((2, 3), np.uint8))[:-1], "not the .npz file", id="one-byte-short"),
        pytest.param(b"\x80\x04" * 3, "magic", id="no-array"),
        pytest.param(b"", "unpacks to", id="empty"),
    ],
)
def test_reader_refuses(tmp_path, data, reason):
    path = write_npz(tmp_path / "a.npz", {"a": data})
    with pytest.raises(ValueError, match=reason):
        arrays.read_npz(path, {"a": (2, 3)})


def test_reader_refuses_a_pickle(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([print] * 6, dtype=object).reshape(2, 3))
    with pytest.raises(ValueError, match=r"a\.npz"):
        arrays.read_npz(tmp_path / "a.npz", {"a": (2, 3)})


def test_reader_refuses_damaged_data(tmp_path):
    path = write_npz(tmp_path / "a.npz", {"a": npy(np.arange(200, dtype=np.uint8))})
    data = bytearray(path.read_bytes())
    data[60:100] = b"\xff" * 40
    path.write_bytes(data)
    with pytest.raises(ValueError, match="not the .npz file"):
        arrays.read_npz(path, {"a": (200,)})


def test_reader_refuses_what_is_no_archive_or_lacks_an_array(tmp_path):
    (tmp_path / "b.npz").write_bytes(b"not a zip file")
    with pytest.raises(ValueError, match="not the .npz file"):
        arrays.read_npz(tmp_path / "b.npz", {"a": (1,)})
    np.savez(tmp_path / "c.npz", other=np.zeros(1, np.uint8))
    with pytest.raises(ValueError, match=r"a\.npy"):
        arrays.read_npz(tmp_path / "c.npz", {"a": (1,)})
