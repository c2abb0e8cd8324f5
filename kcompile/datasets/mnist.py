"""MNIST: 70,000 grey 28x28 images of handwritten digits (LeCun, Cortes and Burges, 1998)."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np

from kcompile.core import public_names
from kcompile.datasets.arrays import read_npz
from kcompile.utils.downloads import cache_home, file_digest, get_file

Split: TypeAlias = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
# A second packing of the same arrays that goes round (85 bytes longer); its arrays have the MD5s of the
# original idx files, tests/datasets/test_mnist.py.
REPACKED_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
SUBSET = Path(__file__).with_name("mnist_subset.npz")


def load_data(path: str = "mnist.npz") -> Split:
    """MNIST, from the cache or else from the web.

    The file is kept in ~/.keras/datasets, where Keras keeps it; KERAS_HOME and KCOMPILE_HOME move ~/.keras.
    It is used only if its SHA-256 is that of the published file; otherwise it is downloaded anew.

    Args:    path: the file's name in the cache.
    Returns: (x_train, y_train), (x_test, y_test), all uint8: images (60000, 28, 28) and (10000, 28, 28) with
             values 0 to 255, labels (60000,) and (10000,) from 0 to 9.
    Raises:  ConnectionError if the file must be downloaded and cannot be.
    """
    cached = cache_home() / "datasets" / path
    if not (cached.is_file() and file_digest(cached) in (SHA256, REPACKED_SHA256)):
        _download(path, cached)
    return _read(cached, 60_000, 10_000)


def load_subset() -> Split:
    """A part of MNIST that ships with kcompile: needs no network.

    The first 1,000 training and 200 test images of each digit, in the order of the full set.

    Returns: as `load_data`, with 10,000 training and 2,000 test images.

    >>> (x_train, y_train), (x_test, y_test) = load_subset()
    >>> x_train.shape, x_test.shape
    ((10000, 28, 28), (2000, 28, 28))
    """
    return _read(SUBSET, 10_000, 2_000)


def _download(path: str, cached: Path) -> None:
    try:
        get_file(path, origin=ORIGIN, file_hash=SHA256)
    except (
        OSError,
        ValueError,
    ) as error:  # ValueError: something else came, the page of a captive portal say
        raise ConnectionError(
            f"MNIST is not in the cache and could not be downloaded ({error}).\n"
            f"  Put the file there yourself: {ORIGIN} -> {cached},\n"
            "  or use the 12,000 images that ship with kcompile: kcompile.datasets.mnist.load_subset()"
        ) from error


def _read(path: Path, train: int, test: int) -> Split:
    arrays = read_npz(
        path,
        {"x_train": (train, 28, 28), "y_train": (train,), "x_test": (test, 28, 28), "y_test": (test,)},
    )
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


__all__ = public_names.of(__name__)
