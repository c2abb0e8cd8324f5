"""Names of variables in generated texts."""

from __future__ import annotations

import numpy as np

import kcompile
from kcompile import ops


def test_offsets_have_no_names_of_types() -> None:
    """A kernel with many offsets still converts: no variable hides `i32` or `i64`."""
    xs = [np.arange(3 * (5 + k) * 4, dtype="int32").reshape(3, 5 + k, 4) for k in range(70)]

    def summed(*xs):
        return ops.cast(sum(x[:, :5] for x in xs), "int64")

    assert np.array_equal(np.asarray(kcompile.jit(summed)(*xs)), summed(*xs))
