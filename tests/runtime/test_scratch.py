"""Scratch memory: every thread of every run has as much as its kernels were promised."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kcompile.codegen.loop_cpu import emit_loop
from kcompile.ir import loops
from kcompile.ir.kernels import Loop, Store
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.runtime.team import _Caller


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0, 1, 64, 100, 5000, 100_000])), max_size=8))
def test_scratch_of_all_threads_lies_inside_the_memory(requests):
    caller = _Caller()
    for threads, scratch in requests:
        caller.reserve(3, threads, scratch)
        assert caller.stride >= scratch
        assert caller.stride % 64 == 0
        if scratch:
            assert threads * caller.stride <= caller._scratch.nbytes


def test_many_threads_after_one_with_more_scratch():
    """The stride stays that of the larger run: the memory must grow with it."""
    caller = _Caller()
    caller.reserve(1, 1, 100_000)
    caller.reserve(1, 2, 20_000)
    assert 2 * caller.stride <= caller._scratch.nbytes


def column_sums(name, columns, row):
    """A store of sums over 50 rows, one for each of so many columns."""
    x = make_parameter(name, TensorType((4, 50, columns)))
    y = make_parameter(f"{name} sums", TensorType((4, columns)))
    column, r = loops.axis(columns, "c"), loops.axis(50, "r")
    total = loops.reduce("sum", (r,), loops.load(x, (row, r, column), "float32"))
    return Store(y, (row, column), total)


def test_a_kernel_asks_for_the_scratch_of_its_widest_columns():
    row = loops.axis(4, "row")
    stores = (column_sums("wide", 3000, row), column_sums("narrow", 40, row))
    spec = emit_loop(Loop((loops.axis_of(row),), stores, "sums"), {})
    assert "column" in spec.source.text
    assert spec.scratch >= 8 * 3000
