"""CIFAR-100: 60,000 colour images of 32x32 in 100 classes, which form 20 groups (Krizhevsky, 2009)."""

from __future__ import annotations

from kcompile.core import public_names
from kcompile.datasets.cifar import read_batches
from kcompile.datasets.mnist import Split
from kcompile.datasets.sources import fetch

ORIGIN = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
HASH = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"
FILE = "cifar-100-python-target_archive"  # as Keras names it in its cache


def load_data(label_mode: str = "fine") -> Split:
    """Images and their classes.

    Args:    label_mode: "fine" for the 100 classes, "coarse" for the 20 groups.
    Returns: (x_train, y_train), (x_test, y_test): images (50000, 32, 32, 3) and (10000, 32, 32, 3), uint8,
             values 0 to 255, labels (50000, 1) and (10000, 1), int64.
    Raises:  ConnectionError if the file must be downloaded and cannot be; ValueError for another
             label_mode.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(
            f'`label_mode` must be one of `"fine"`, `"coarse"`. Received: label_mode={label_mode}.'
        )
    path = fetch(FILE, ORIGIN, HASH)
    key = f"{label_mode}_labels"
    return read_batches(path, ["cifar-100-python/train"], key), read_batches(
        path, ["cifar-100-python/test"], key
    )


__all__ = public_names.of(__name__)
