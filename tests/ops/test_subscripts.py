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
