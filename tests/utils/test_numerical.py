"""to_categorical: every row of the table is what Keras 3.15 answers."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.utils import to_categorical


@pytest.mark.parametrize(
    ("labels", "rows"),
    [
        ([0, 2], [[1, 0, 0], [0, 0, 1]]),
        ([[0], [2]], [[1, 0, 0], [0, 0, 1]]),
        ([[0, 1]], [[[1, 0], [0, 1]]]),
        (0, [1]),
        ([0.0], [[1]]),
        ([[0.0]], [[1]]),
        ([1.7], [[0, 1]]),
        (np.zeros((2, 3, 1)), np.ones((2, 3, 1))),
    ],
)
def test_rows(labels, rows):
    found = to_categorical(labels)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, np.array(rows, np.float64))


def test_number_of_classes():
    assert to_categorical([0, 1], num_classes=5).shape == (2, 5)
    assert to_categorical([], num_classes=5).shape == (0, 5)
    assert to_categorical([0, 1], num_classes=0).shape == (2, 2)  # as if it was left out


@pytest.mark.parametrize("label", [3, 2, -1])
def test_class_outside_the_range(label):
    with pytest.raises(IndexError, match=f"class {label} is not from 0 to 1"):
        to_categorical([0, label], num_classes=2)


def test_empty_without_a_number_of_classes():
    with pytest.raises(ValueError, match="num_classes"):
        to_categorical([])
