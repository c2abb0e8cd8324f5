"""Which buffers are cut as a kernel's tiles are: offsets in the slice of their position, and others."""

from __future__ import annotations

import pytest

from kcompile.codegen.slices import slices_of
from kcompile.core.symbolic import Int, symbol
from kcompile.ir.loops import Axis
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType

ROWS = symbol("rows")
A, B, J = Axis(6), Axis(4), Axis(5)
a, b, j = (Int.of(axis) for axis in (A, B, J))
R = Axis(ROWS)
r = Int.of(R)


def memory(*shape, name="x"):
    return make_parameter(name, TensorType(shape))


OWN = {
    "a row of each": ((6, 5), [A], 5 * a + j),
    "its first element": ((6, 5), [A], 5 * a),
    "two axes": ((6, 4, 5), [A, B], 20 * a + 5 * b + j),
    "the outer of two": ((6, 4, 5), [A], 20 * a + 5 * b + j),
    "an open axis": ((ROWS, 5), [R], 5 * r + j),
    "an open axis and another": ((ROWS, 4, 5), [R, B], 20 * r + 5 * b + j),
    "an axis of one step": ((6, 5), [Axis(1), A], 5 * a + j),
}
NOT_OWN = {
    "the next element": ((6, 5), [A], 5 * a + j + 1),
    "the element before": ((6, 5), [A], 5 * a + j - 1),
    "the next row": ((6, 5), [A], 5 * a + 5 + j),
    "all rows": ((6, 5), [A], 5 * b + j),
    "always the same row": ((6, 5), [A], j),
    "columns": ((5, 6), [A], 6 * j + a),
    "rows from the last": ((6, 5), [A], 25 - 5 * a + j),
    "every other row": ((12, 5), [A], 10 * a + 5 * b + j),
    "part of the memory": ((7, 5), [A], 5 * a + j),
    "axes in another order": ((4, 6, 5), [A, B], 30 * b + 5 * a + j),
    "the inner of two": ((4, 5), [A, B], 5 * b + j),
    "a division": ((6, 5), [A], 5 * (a // 2) + j),
    "a longer open axis": ((ROWS + 1, 5), [R], 5 * r + j),
}


@pytest.mark.parametrize("name", OWN)
def test_slices_of_their_own(name):
    shape, axes, offset = OWN[name]
    x = memory(*shape)
    found = slices_of(axes, 3, [(x, offset)])
    assert found is not None and found.own == (x,) and found.per_tile == 3


@pytest.mark.parametrize("name", NOT_OWN)
def test_slices_of_others(name):
    shape, axes, offset = NOT_OWN[name]
    assert slices_of(axes, 1, [(memory(*shape), offset)]) is None


def test_every_access_counts():
    x, y = memory(6, 5), memory(6, 5, name="y")
    found = slices_of([A], 1, [(x, 5 * a + j), (y, 5 * a), (x, j)])
    assert found is not None and found.own == (y,) and found.count == 6
    assert slices_of([], 1, [(x, j)]) is None
