"""Small files in the form of the published data sets, and the calls that are compared with real Keras."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np


def make(folder: Path) -> None:
    """Write one file of each kind into `folder`, under the names of Keras's cache."""
    rng = np.random.default_rng(4)
    (folder / "fashion-mnist").mkdir(parents=True)
    texts = [rng.integers(1, 40, rng.integers(2, 12)).tolist() for _ in range(30)]
    np.savez(
        folder / "imdb.npz",
        x_train=objects(texts[:20]), y_train=rng.integers(0, 2, 20),
        x_test=objects(texts[20:]), y_test=rng.integers(0, 2, 10),
    )  # fmt: skip
    np.savez(folder / "reuters.npz", x=objects(texts), y=rng.integers(0, 46, 30))
    np.savez(folder / "boston_housing.npz", x=rng.normal(size=(11, 13)), y=rng.normal(size=11))
    table = rng.normal(size=(700, 8)).astype("float32")
    np.savez(folder / "california_housing.npz", x=table, y=table.sum(1))
    for name in ("imdb_word_index.json", "reuters_word_index.json"):
        (folder / name).write_text(json.dumps({"the": 1, "film": 2}))
    ten = {f"cifar-10-batches-py/data_batch_{k}": batch(rng, 10_000, b"labels") for k in range(1, 6)}
    write_tar(
        folder / "cifar-10-batches-py-target_archive",
        {**ten, "cifar-10-batches-py/test_batch": batch(rng, 5, b"labels")},
    )
    hundred = {
        f"cifar-100-python/{part}": batch(rng, count, b"fine_labels", b"coarse_labels")
        for part, count in (("train", 7), ("test", 3))
    }
    write_tar(folder / "cifar-100-python-target_archive", hundred)
    for part, count in (("train", 60_000), ("t10k", 10_000)):
        write_idx(folder / f"fashion-mnist/{part}-images-idx3-ubyte.gz", (count, 28, 28))
        write_idx(folder / f"fashion-mnist/{part}-labels-idx1-ubyte.gz", (count,))


def objects(texts: list[Any]) -> np.ndarray:
    found = np.empty(len(texts), object)
    found[:] = texts
    return found


def batch(rng: np.random.Generator, count: int, *keys: bytes) -> dict[bytes, Any]:
    """As CIFAR's authors pickled it. Large ones repeat one image, so that the archive stays small."""
    images = rng.integers(0, 256, (min(count, 10), 3072)).astype("uint8")
    labels = {key: rng.integers(0, 10, count).tolist() for key in keys}
    return {b"data": np.resize(images, (count, 3072)), **labels}


def write_tar(path: Path, members: dict[str, Any]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            data = pickle.dumps(content, protocol=3)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def write_idx(path: Path, shape: tuple[int, ...]) -> None:
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    numbers = np.arange(int(np.prod(shape)), dtype="int64") * 7 % 251
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header + numbers.astype("uint8").tobytes())


CALLS: dict[str, list[dict[str, Any]]] = {
    "imdb": [
        {}, {"num_words": 20}, {"num_words": 30, "skip_top": 5, "oov_char": None}, {"maxlen": 8},
        {"start_char": None}, {"start_char": None, "index_from": 0}, {"seed": 7, "index_from": 10},
    ],
    "reuters": [{}, {"num_words": 15, "test_split": 0.5}, {"maxlen": 9, "start_char": None, "seed": 2}],
    "boston_housing": [{}, {"test_split": 0.0, "seed": 3}],
    "california_housing": [{}, {"version": "small", "test_split": 0.5}],
    "cifar10": [{}],
    "cifar100": [{}, {"label_mode": "coarse"}],
    "fashion_mnist": [{}],
}  # fmt: skip


def described(found: Any) -> list[Any]:
    """Shapes, dtypes, and all numbers (or for large arrays, their hash)."""
    import hashlib

    parts = []
    for array in [a for split in found for a in split]:
        entry = [list(np.shape(array)), str(np.asarray(array).dtype)]
        if entry[1] == "object":
            entry.append([[int(word) for word in text] for text in array])
        else:
            entry.append(hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest())
        parts.append(entry)
    return parts
