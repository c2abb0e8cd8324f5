"""Subscripts with arrays, compiled, against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile

ROWS, COLUMNS = np.array([0, 1]), np.array([1, 0])
TALL = ROWS[:, None]
SUBSCRIPTS = {
    "last": np.s_[..., ROWS], "together": np.s_[:, ROWS, COLUMNS], "matrix": np.s_[:, TALL, COLUMNS],
    "number between": np.s_[ROWS, 0, COLUMNS], "number before": np.s_[0, ROWS],
    "number behind": np.s_[:, ROWS, 0],
    "apart": np.s_[ROWS, :, COLUMNS], "new axis": np.s_[ROWS, None, COLUMNS],
    "dots": np.s_[ROWS, ..., COLUMNS],
    "far number": np.s_[0, :, ROWS], "far number, new axis": np.s_[0, None, ROWS],
    "from the end": np.s_[-1, ..., ROWS],
    "dots for nothing": np.s_[:, ROWS, ..., COLUMNS, 0], "matrix apart": np.s_[TALL, :, COLUMNS],
}  # fmt: skip


@pytest.mark.parametrize("name", SUBSCRIPTS)
def test_subscripts_with_arrays(name):
    key, x = SUBSCRIPTS[name], np.arange(120, dtype="float32").reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(kcompile.jit(lambda x: x[key] * 2)(x), x[key] * 2)


OUTSIDE = {"above": [9, 0, -1], "below": [-5, 0, -1], "rows below": [1, 0, -1]}


@pytest.mark.parametrize("name", OUTSIDE)
def test_an_index_outside_of_its_dimension_finds_no_other_row(name):
    x = np.arange(12, dtype="float32").reshape(3, 4)
    rows, columns = np.array([-4 if name == "rows below" else 0, 1, -1]), np.array(OUTSIDE[name])
    found = kcompile.jit(lambda x, rows, columns: x[rows, columns])(x, rows, columns)
    np.testing.assert_array_equal(found, [np.nan, 4, 11])
    slopes = kcompile.jit(
        lambda x, rows, columns: kcompile.grad(lambda x: kcompile.ops.sum(x[rows, columns]))(x)
    )(x, rows, columns)
    np.testing.assert_array_equal(np.argwhere(slopes), [(1, 0), (2, 3)])


def test_small_integers_count_in_large_tensors():
    x = np.arange(1200, dtype="float32").reshape(300, 4)
    rows, columns = np.array([255, 70], "uint8"), np.array([3, 1], "uint8")
    np.testing.assert_array_equal(kcompile.jit(lambda x, r, c: x[r, c])(x, rows, columns), x[rows, columns])


def test_numbers_outside_of_an_open_dimension():
    x = kcompile.Input((None,), batch_size=3)
    model = kcompile.Model(
        x, kcompile.layers.Lambda(lambda x: x[np.array([0, 1, -1]), np.array([9, 0, -1])])(x)
    )
    found = np.asarray(model(np.arange(12, dtype="float32").reshape(3, 4)))
    np.testing.assert_array_equal(found, [np.nan, 4, 11])


@pytest.mark.parametrize("key", [np.s_[ROWS, COLUMNS + 4], np.s_[ROWS - 4], [0, 7]])
def test_numbers_outside_of_a_known_dimension(key):
    with pytest.raises(IndexError, match=r"index -?\d is out of bounds for a dimension of size"):
        kcompile.jit(lambda x: x[key])(np.ones((3, 4), "float32"))
