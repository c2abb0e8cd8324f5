"""`grad` of functions that do not depend on their arguments."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile
from kcompile import ops
from kcompile.autograd.functional import grad, value_and_grad

X = np.array([1.5, -2.5], "float32")
CONSTANTS = {
    "number": lambda x: 2.5,
    "array": lambda x: np.float32(2.5),
    "steps": lambda x: ops.sum(ops.floor(x)),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_the_slope_of_a_constant_is_zero(name):
    function = CONSTANTS[name]
    for call in (grad(function), kcompile.jit(grad(function))):
        assert call(X).dtype == np.float32
        np.testing.assert_array_equal(call(X), [0, 0])
    np.testing.assert_array_equal(grad(lambda x: ops.sum(grad(function)(x)))(X), [0, 0])
    assert float(value_and_grad(function)(X)[0]) == float(function(X))


@pytest.mark.parametrize("function", [lambda x: "one", lambda x: x, lambda x: 1, lambda x: None])
def test_what_is_no_float_is_refused(function):
    with pytest.raises(TypeError, match="must give one float"):
        grad(function)(X)
