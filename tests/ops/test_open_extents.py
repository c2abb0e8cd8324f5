"""Slices of dimensions that are known only at run time, where there may be fewer elements than they name."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import KerasTensor, ops
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


DIAGONALS = {
    "diagonal": (ops.diagonal, np.diagonal), "trace": (ops.trace, np.trace), "diag": (ops.diag, np.diag),
    "above": (lambda x: ops.diagonal(x, 1), lambda x: np.diagonal(x, 1)),
    "below": (lambda x: ops.trace(x, -2), lambda x: np.trace(x, -2)),
    "turned": (lambda x: ops.diagonal(x, 1, 1, 0), lambda x: np.diagonal(x, 1, 1, 0)),
}  # fmt: skip
COLUMNS = symbol("columns")


@pytest.mark.parametrize("shape", [(5, 3), (2, 3), (3, 3), (1, 3)])
@pytest.mark.parametrize("dims", [(BATCH, 3), (BATCH, COLUMNS)], ids=["rows", "both"])
@pytest.mark.parametrize("name", DIAGONALS)
def test_diagonals(name, dims, shape):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    function, reference = DIAGONALS[name]
    case = make_case(name, lambda x: function(x) * 2.0, [np.zeros((4, 3), "float32")], [dims])
    [found] = compile_graph(Graph(case.inputs, case.outputs))(x)
    np.testing.assert_allclose(found, reference(x) * np.float32(2), rtol=1e-6)
    gradient = gradients_of(case)
    assert gradient is not None
    assert differences(gradient, compile_graph(Graph(gradient.inputs, gradient.outputs))(x), [x]) == []


@pytest.mark.parametrize("k", [0, 2, -1])
def test_matrices_of_diagonals(k):
    x = np.arange(1, 5, dtype="float32")
    for count in (1, 4):
        case = make_case("diag", lambda x: ops.diag(x, k) * 2.0, [x], [(BATCH,)])
        [found] = compile_graph(Graph(case.inputs, case.outputs))(x[:count])
        np.testing.assert_array_equal(found, np.diag(x[:count], k) * 2)


def test_placeholders_of_diagonals():
    x = KerasTensor((None, None, 4))
    assert ops.diagonal(x, axis1=1, axis2=2).shape == (None, None)
    assert ops.trace(x).shape == (4,)
    assert ops.diag(KerasTensor((None,))).shape == (None, None)
