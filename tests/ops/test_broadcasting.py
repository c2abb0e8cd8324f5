"""Broadcasting: shapes chosen by hypothesis, against NumPy's rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kcompile import ops
from kcompile.autograd.check import gradient_error
from kcompile.core.errors import ShapeError
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType, broadcast_shapes

pairs = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4)
triples = hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3)
BINARY = [
    "add",
    "subtract",
    "multiply",
    "true_divide",
    "maximum",
    "minimum",
    "power",
    "arctan2",
    "less",
    "equal",
]


def filled(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape).astype("float32")


@settings(max_examples=40, deadline=None)
@given(pairs, st.sampled_from(BINARY))
def test_results_have_the_broadcast_shape(shapes, name):
    a, b = (filled(s, k) for k, s in enumerate(shapes.input_shapes))
    y = getattr(ops, name)(a, b)
    assert y.shape == shapes.result_shape
    reference = {"less": np.less, "equal": np.equal}.get(name)
    if reference is not None:
        np.testing.assert_array_equal(y, reference(a, b))


@settings(max_examples=25, deadline=None)
@given(pairs, st.sampled_from(["add", "multiply", "true_divide", "power"]))
def test_gradients_are_summed_over_broadcast_axes(shapes, name):
    a, b = (filled(s, k) for k, s in enumerate(shapes.input_shapes))
    assert gradient_error(getattr(ops, name), a, b) < 1e-6


@settings(max_examples=25, deadline=None)
@given(triples)
def test_where_broadcasts_three_operands(shapes):
    c, a, b = (filled(s, k) for k, s in enumerate(shapes.input_shapes))
    np.testing.assert_array_equal(ops.where(c > 1, a, b), np.where(c > 1, a, b))
    assert gradient_error(lambda x, y: ops.where(c > 1, x, y), a, b) < 1e-6


@settings(max_examples=50, deadline=None)
@given(
    hnp.array_shapes(min_dims=0, max_dims=3, max_side=4), hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)
)
def test_shapes_that_do_not_fit_are_refused(a, b):
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(ShapeError, match="add: shapes .* cannot be broadcast"):
            ops.add(np.zeros(a), np.zeros(b))
    else:
        assert ops.add(np.zeros(a), np.zeros(b)).shape == np.broadcast_shapes(a, b)


def test_symbolic_dimensions_equal_only_themselves_and_one():
    n, m = symbol("n"), symbol("m")
    assert broadcast_shapes((n, 3), (1, 3), (3,)) == (n, 3)
    with pytest.raises(ShapeError):
        broadcast_shapes((n,), (m,))
    x, y = (make_parameter(k, TensorType((d, 2))) for k, d in (("x", n), ("y", 5)))
    with pytest.raises(ShapeError, match="add"):
        ops.add(x, y)
