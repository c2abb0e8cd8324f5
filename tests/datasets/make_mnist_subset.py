"""Cuts kcompile/datasets/mnist_subset.npz out of the full mnist.npz.

python tests/datasets/make_mnist_subset.py path/to/mnist.npz
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parents[2] / "kcompile" / "datasets" / "mnist_subset.npz"


def first_of_each_digit(labels: np.ndarray, count: int) -> np.ndarray:
    """Indices of the first `count` images of every digit, in the order of the full set."""
    return np.sort(np.concatenate([np.flatnonzero(labels == digit)[:count] for digit in range(10)]))


def cut(full: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    train = first_of_each_digit(full["y_train"], 1000)
    test = first_of_each_digit(full["y_test"], 200)
    return {
        "x_train": full["x_train"][train],
        "y_train": full["y_train"][train],
        "x_test": full["x_test"][test],
        "y_test": full["y_test"][test],
    }


if __name__ == "__main__":
    with np.load(sys.argv[1], allow_pickle=False) as full:
        np.savez_compressed(TARGET, **cut(full))
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes")
