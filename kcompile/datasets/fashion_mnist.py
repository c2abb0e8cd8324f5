"""Fashion-MNIST: 70,000 grey 28x28 images of clothes (Xiao, Rasul and Vollgraf, 2017).

Classes 0 to 9: T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from kcompile.core import public_names
from kcompile.datasets.mnist import Split
from kcompile.datasets.sources import BASE, fetch

FOLDER = "datasets/fashion-mnist"
UNSIGNED_BYTES = 8  # the code of the dtype in an idx file


def load_data() -> Split:
    """Images and their classes.

    Returns: (x_train, y_train), (x_test, y_test), all uint8: images (60000, 28, 28) and (10000, 28, 28),
             values 0 to 255, labels (60000,) and (10000,).
    Raises:  ConnectionError if a file must be downloaded and cannot be; ValueError if one is not the file
             expected.
    """
    return _part("train", 60_000), _part("t10k", 10_000)


def _part(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    images = _read(f"{name}-images-idx3-ubyte.gz", (count, 28, 28))
    return images, _read(f"{name}-labels-idx1-ubyte.gz", (count,))


def _read(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array of an idx file, which must have this shape: Keras publishes no hash of it."""
    path: Path = fetch(name, BASE + name, None, FOLDER)
    header = struct.pack(f">HBB{len(shape)}I", 0, UNSIGNED_BYTES, len(shape), *shape)
    size = int(np.prod(shape))
    try:
        with gzip.open(path) as file:
            data = file.read(len(header) + size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: not the gzip file expected: {error}") from error
    if data[: len(header)] != header or len(data) != len(header) + size:
        raise ValueError(f"{path}: not {size} bytes of the shape {shape}; delete it to download it anew")
    return np.frombuffer(data, np.uint8, size, len(header)).reshape(shape).copy()


__all__ = public_names.of(__name__)
