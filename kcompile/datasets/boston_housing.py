"""Boston house prices of the 1970s: 506 rows of 13 numbers.

One of the columns, "B", rests on the assumption that racial segregation influences prices; the data is of
use where that is what one studies. `california_housing` is the other choice.
"""

from __future__ import annotations

from kcompile.core import public_names
from kcompile.datasets.housing import check_test_split, read_table, split_table
from kcompile.datasets.mnist import Split
from kcompile.datasets.sources import BASE, fetch

HASH = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> Split:
    """Rows and prices in thousands of dollars.

    Args:    path: the file's name in the cache. test_split: share of the rows for the test set. seed: of
             their order.
    Returns: (x_train, y_train), (x_test, y_test): x (n, 13) and y (n,), float64.
    Raises:  ConnectionError if the file must be downloaded and cannot be; ValueError for another
             test_split than [0, 1).
    """
    check_test_split(test_split)
    return split_table(*read_table(fetch(path, f"{BASE}boston_housing.npz", HASH)), test_split, seed)


__all__ = public_names.of(__name__)
