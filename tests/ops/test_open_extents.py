"""Slices of dimensions that are known only at run time, where there may be fewer elements than they name."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.graph import Graph
from tests.programs import differences, gradients_of, make_case

BATCH = symbol("batch")
SLICES = {
    "first": np.s_[:5], "last": np.s_[-5:], "but-last": np.s_[:-3], "but-first": np.s_[3:],
    "every": np.s_[1:40:3], "inner": np.s_[2:-2], "backwards": np.s_[4:2], "all": np.s_[:],
}  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 4, 5, 9])
@pytest.mark.parametrize("name", SLICES)
def test_slices_hold_what_there_is(name, count):
    key, x = SLICES[name], np.random.default_rng(0).normal(size=(count, 3)).astype("float32")
    case = make_case(name, lambda x: x[key] * 2.0, [np.zeros((7, 3), "float32")], [(BATCH, 3)])
    [found] = compile_graph(Graph(case.inputs, case.outputs))(x)
    np.testing.assert_array_equal(found, x[key] * 2)
    gradient = gradients_of(case)
    if gradient is not None and name != "backwards":
        assert differences(gradient, compile_graph(Graph(gradient.inputs, gradient.outputs))(x), [x]) == []


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("shift", [-1, 1, 3, -4, 10])
def test_roll(shift, count):
    x = np.arange(2 * count, dtype="float32").reshape(count, 2)
    case = make_case("roll", lambda x: ops.roll(x, shift, axis=0), [x], [(BATCH, 2)])
    [found] = compile_graph(Graph(case.inputs, case.outputs))(x)
    np.testing.assert_array_equal(found, np.roll(x, shift, axis=0))


@pytest.mark.parametrize("count", [1, 3, 6])
def test_split_at_indices(count):
    x = np.arange(2 * count, dtype="float32").reshape(count, 2)
    case = make_case("split", lambda x: ops.split(x, [2, 4], axis=0), [x], [(BATCH, 2)])
    found = compile_graph(Graph(case.inputs, case.outputs))(x)
    for got, want in zip(found, np.split(x, [2, 4]), strict=True):
        np.testing.assert_array_equal(got, want)
