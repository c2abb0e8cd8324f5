"""Indices of any dtype find and write the same elements, far beyond what the dtype can count."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops
from kcompile.ops import index

DTYPES = ("int8", "uint8", "int16", "uint16", "int64", "uint64")
AT = np.array([[3, 117], [120, 9], [120, 9], [0, 126]], "int32")
ROWS = np.random.default_rng(0).normal(size=(4, 2)).astype("float32")
TALL = np.random.default_rng(1).normal(size=(300, 2)).astype("float32")
GRID = np.random.default_rng(2).normal(size=(130, 130)).astype("float32")

# Of indices (4, 2) and a factor.
CASES = {
    "segment_sum": lambda at, x: ops.segment_sum(ROWS * x, at[:, 0], num_segments=300),
    "segment_max": lambda at, x: ops.segment_max(ROWS * x, at[:, 0], num_segments=300),
    "scatter rows": lambda at, x: ops.scatter(at[:, :1], ROWS * x, (300, 2)),
    "scatter": lambda at, x: ops.scatter(at, ROWS[:, 0] * x, (130, 130)),
    "update": lambda at, x: ops.scatter_update(GRID * x, at, ROWS[:, 0] * x),
    "update add": lambda at, x: ops.scatter_update(GRID, at, ROWS[:, 0] * x, reduction="add"),
    "take": lambda at, x: ops.take(TALL * x, at, axis=0),
    "take_along_axis": lambda at, x: ops.take_along_axis(TALL * x, at, axis=0),
    "subscript": lambda at, x: (GRID * x)[at[:, 0], at[:, 1]],
    "unravel_index": lambda at, x: ops.cast(ops.stack(ops.unravel_index(at, (2, 300))), "float32") * x,
}


def numbers(name, at):
    """The result on arrays, compiled, its slope, and the slope of that."""

    def loss(x):
        return ops.sum(CASES[name](at, x) ** 3)

    slope, x = keras.grad(loss), np.float32(1.5)
    results = CASES[name](at, x), keras.jit(CASES[name])(at, x), slope(x), keras.grad(slope)(x)
    return [np.asarray(found) for found in results]


@pytest.mark.parametrize("name", CASES)
def test_dtypes_of_indices(name):
    expected = numbers(name, AT)
    for dtype in DTYPES:
        for found, wanted in zip(numbers(name, AT.astype(dtype)), expected, strict=True):
            np.testing.assert_array_equal(found, wanted, err_msg=dtype)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
def test_what_lies_outside_has_no_slope(dtype):
    at, ones = np.array([1, 100, 2]).astype(dtype), np.ones((3, 1), "float32")
    written = {
        "rows": lambda y: index.scatter_add_rows(at, y, 5),
        "along": lambda y: index.scatter_along_axis_op(at[:, None], y, axis=0, extent=5),
        "segments": lambda y: ops.segment_sum(y, at, num_segments=5),
        "places": lambda y: ops.scatter(at[:, None], y, (5, 1)),
    }
    for name, write in written.items():
        slope = keras.grad(lambda y, write=write: ops.sum(write(y)))(ones)
        np.testing.assert_array_equal(slope, [[1], [0], [1]], err_msg=name)


def test_what_no_signed_index_can_count_lies_outside():
    far = np.array([[2**64 - 1], [1]], "uint64")
    assert ops.scatter_update(np.zeros(3), far, np.array([5.0, 7.0])).tolist() == [0, 7, 0]


def test_more_segments_than_the_dtype_counts():
    for run in (lambda f: f, keras.jit):
        found = run(lambda ids: ops.segment_sum(ROWS[:2], ids, num_segments=300))(np.array([-1, 7], "int8"))
        np.testing.assert_array_equal(found.nonzero()[0], [7, 7])


def test_bools_are_the_first_two_positions():
    found = ops.unravel_index(np.array([True, False]), (2, 1))
    assert [(str(x.dtype), x.tolist()) for x in found] == [("int32", [1, 0]), ("int32", [0, 0])]
