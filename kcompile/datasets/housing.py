"""Tables of house prices: what `boston_housing` and `california_housing` share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kcompile.datasets.mnist import Split
from kcompile.datasets.pickled import load_npz
from kcompile.datasets.sequences import shuffled


def check_test_split(test_split: float) -> None:
    if not 0 <= test_split < 1:
        raise ValueError(
            f"Invalid `test_split` argument: {test_split}. It must be between 0 and 1 (exclusive of 1)."
        )


def read_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """x and y of an .npz file."""
    x, y = load_npz(path, ("x", "y"))
    return x, y


def split_table(x: np.ndarray, y: np.ndarray, test_split: float, seed: int) -> Split:
    """Rows in a new order, the last of them for the test."""
    x, y = shuffled(x, y, np.random.RandomState(seed))
    count = int(len(x) * (1 - test_split))
    return (x[:count].copy(), y[:count].copy()), (x[count:].copy(), y[count:].copy())
