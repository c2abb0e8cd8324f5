"""CIFAR-10: 60,000 colour images of 32x32 in 10 classes (Krizhevsky, 2009).

Classes 0 to 9: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.
"""

from __future__ import annotations

from kcompile.core import public_names
from kcompile.datasets.cifar import read_batches
from kcompile.datasets.mnist import Split
from kcompile.datasets.sources import fetch

ORIGIN = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
HASH = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
FILE = "cifar-10-batches-py-target_archive"  # as Keras names it in its cache
FOLDER = "cifar-10-batches-py"


def load_data() -> Split:
    """Images and their classes.

    Returns: (x_train, y_train), (x_test, y_test), all uint8: images (50000, 32, 32, 3) and
             (10000, 32, 32, 3), values 0 to 255, labels (50000, 1) and (10000, 1).
    Raises:  ConnectionError if the file must be downloaded and cannot be.
    """
    path = fetch(FILE, ORIGIN, HASH)
    x_train, y_train = read_batches(path, [f"{FOLDER}/data_batch_{k}" for k in range(1, 6)], "labels")
    x_test, y_test = read_batches(path, [f"{FOLDER}/test_batch"], "labels")
    return (x_train, y_train.astype("uint8")), (x_test, y_test.astype("uint8"))


__all__ = public_names.of(__name__)
