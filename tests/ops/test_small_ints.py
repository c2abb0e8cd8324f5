"""Which products of int8 are summed up in int32, as in Keras on JAX: those of `matmul` and `einsum`."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops

A = np.array([[100, 2], [3, 4]], "int8")
WIDE = {"matmul": ops.matmul, "einsum": lambda a, b: ops.einsum("ij,jk->ik", a, b)}
NARROW = {
    "dot": ops.dot,
    "inner": ops.inner,
    "vdot": ops.vdot,
    "tensordot": lambda a, b: ops.tensordot(a, b, 1),
    "outer": ops.outer,
}


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("name", [*WIDE, *NARROW])
def test_dtypes(name, traced):
    function = WIDE.get(name) or NARROW[name]
    found = (keras.jit(function) if traced else function)(A, A)
    large = A.astype(int)
    exact = large @ large if name in ("einsum", "tensordot") else getattr(np, name)(large, large)
    wanted = "int32" if name in WIDE else "int8"
    assert found.dtype.name == wanted
    np.testing.assert_array_equal(found, exact.astype(wanted))  # int8 wraps around


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint16", "int64", "float16"])
@pytest.mark.parametrize("subscripts", ["ij->j", "ij->", "ii->"])
def test_sums_of_one_operand_keep_its_dtype(subscripts, dtype):
    x = np.array([[200, 100], [30, 90]]).astype(dtype)
    found = [
        f(x) for f in (lambda x: ops.einsum(subscripts, x), keras.jit(lambda x: ops.einsum(subscripts, x)))
    ]
    for y in found:
        assert y.dtype.name == dtype
        np.testing.assert_array_equal(y, np.einsum(subscripts, x))
