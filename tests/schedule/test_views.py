"""Views against NumPy: the same elements for the same transposes, slices, reshapes and broadcasts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

from kcompile import ops
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.ir.views import contiguous, reshape_strides, row_major
from kcompile.schedule.views import view_of


@st.composite
def movements(draw):
    """(a value made by moving elements of a parameter, the same by NumPy)."""
    shape = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=3)))
    array = np.arange(int(np.prod(shape)))
    array = array.reshape(shape)
    value = make_parameter("x", TensorType(shape, "int64"))
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["transpose", "slice", "broadcast", "reshape"]))
        if kind == "transpose":
            axes = draw(st.permutations(range(array.ndim)))
            value, array = ops.transpose(value, axes), array.transpose(axes)
        elif kind == "slice":
            key = tuple(_slice(draw, d) for d in array.shape)
            value, array = value[key], array[key]
        elif kind == "broadcast" and array.ndim < 4:
            wider = (draw(st.integers(1, 3)), *array.shape)
            value, array = ops.broadcast_to(value, wider), np.broadcast_to(array, wider)
        elif kind == "reshape" and array.ndim > 1:
            k = draw(st.integers(0, array.ndim - 2))
            joined = (*array.shape[:k], array.shape[k] * array.shape[k + 1], *array.shape[k + 2 :])
            value, array = ops.reshape(value, joined), array.reshape(joined)
    return value, array


def _slice(draw, extent):
    first = draw(st.integers(0, extent - 1))
    last = draw(st.integers(first + 1, extent))
    if draw(st.booleans()):
        return slice(first, last, draw(st.integers(1, 2)))
    return slice(last - 1, first - 1 if first else None, -1)


def elements(view, memory):
    """What a view shows of a flat array."""
    bytes_per = memory.itemsize
    return as_strided(memory[view.offset :], view.shape, [s * bytes_per for s in view.strides])


@given(movements())
def test_a_view_shows_the_same_elements(movement):
    value, array = movement
    view = view_of(value)
    if view.base.op.name != "parameter":  # NumPy had to copy as well: the rest lies in memory of its own
        assert view.base.op.name == "reshape"
        return
    memory = np.arange(int(np.prod(view.base.shape)))
    np.testing.assert_array_equal(elements(view, memory), array)


@given(st.lists(st.integers(1, 5), max_size=4))
def test_row_major_strides_are_numpys(shape):
    array = np.empty(shape, "int8")
    assert all(a == b for d, a, b in zip(shape, row_major(tuple(shape)), array.strides, strict=True) if d > 1)


def test_a_transposed_matrix_cannot_be_flattened():
    assert reshape_strides((3, 4), (1, 3), (12,)) is None
    assert reshape_strides((3, 4), (4, 1), (12,)) == (1,)
    assert reshape_strides((12,), (2,), (3, 4)) == (8, 2)


def test_symbolic_dimensions_keep_their_strides():
    batch = symbol("batch")
    x = make_parameter("x", TensorType((batch, 8, 4)))
    assert view_of(ops.reshape(x, (batch, 32))).strides == (32, 1)
    assert view_of(ops.reshape(x, (batch * 8, 4))).strides == (4, 1)
    assert view_of(ops.transpose(x, (1, 0, 2))).strides == (4, 32, 1)


def test_what_is_computed_lies_in_memory_of_its_own():
    x = make_parameter("x", TensorType((3, 4)))
    y = ops.exp(x)
    assert view_of(y) == contiguous(y)
    assert view_of(ops.transpose(y)).base is y
