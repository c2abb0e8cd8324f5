"""California house prices of the 1990 census: a row of 8 numbers for each of 20,640 groups of blocks."""

from __future__ import annotations

from kcompile.core import public_names
from kcompile.datasets.housing import check_test_split, read_table, split_table
from kcompile.datasets.mnist import Split
from kcompile.datasets.sources import BASE, fetch

HASH = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
SMALL = 600


def load_data(
    version: str = "large",
    path: str = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> Split:
    """Rows and prices in dollars.

    Args:    version: "large", or "small" for the first 600 rows. path: the file's name in the cache.
             test_split: share of the rows for the test set. seed: of their order.
    Returns: (x_train, y_train), (x_test, y_test): x (n, 8) and y (n,), float32.
    Raises:  ConnectionError if the file must be downloaded and cannot be; ValueError for another version
             or a test_split outside of [0, 1).
    """
    check_test_split(test_split)
    if version not in ("small", "large"):
        raise ValueError(f"Argument `version` must be one of 'small', 'large'. Received: version={version}")
    x, y = read_table(fetch(path, f"{BASE}california_housing.npz", HASH))
    if version == "small":
        x, y = x[:SMALL], y[:SMALL]
    return split_table(x, y, test_split, seed)


__all__ = public_names.of(__name__)
