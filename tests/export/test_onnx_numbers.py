"""Numbers at the ends of their dtypes, and functions that onnxruntime computes for float32 only."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from tests.export.onnx_tools import graph_of, model_of, ops_of, run

ENDS = np.array([0.0, np.inf, -np.inf, np.nan, 1e-30, -1e-8, 1e-3, -0.5, 0.9, -1.0, 2.5, -20.0, 1e30])
WITHOUT_A_KERNEL_OF_DOUBLES = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "celu",
    "cosh",
    "elu",
    "hard_sigmoid",
    "hard_silu",
    "leaky_relu",
    "log_sigmoid",
    "selu",
    "sinh",
    "softplus",
    "softsign",
    "tan",
]


def results_of(function, *arrays):
    return run(model_of(graph_of(function, list(arrays)), 20), list(arrays))[0]


@pytest.mark.parametrize("name", WITHOUT_A_KERNEL_OF_DOUBLES)
def test_doubles_are_not_computed_as_floats(name):
    function = getattr(ops, name)
    np.testing.assert_allclose(results_of(function, ENDS), function(ENDS), rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize("name", ["arctan2", "hypot", "logaddexp", "logaddexp2"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_numbers_at_the_ends(name, dtype):
    a, b = (grid.ravel().astype(dtype) for grid in np.meshgrid(ENDS, ENDS))
    with np.errstate(invalid="ignore"):
        wanted = getattr(np, name)(a, b)
    limits = {"rtol": 1e-6, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-14, "atol": 1e-270}
    np.testing.assert_allclose(results_of(getattr(ops, name), a, b), wanted, **limits)


@pytest.mark.parametrize(
    ("function", "operators"),
    [
        (ops.cbrt, "Abs Pow Sign Mul"),
        (lambda x: ops.hypot(x, x[:, ::-1]), "Slice Cast Cast Mul Mul Add Sqrt Cast IsInf IsInf Or Where"),
        (lambda x: ops.nanmean(x, axis=1), "IsNaN Where ReduceSum Where ReduceSum Div"),
    ],
)
def test_functions_of_few_nodes(function, operators):
    x = np.array([[0.0, -8.0, 1e30, np.nan], [np.nan, 1e-30, -np.inf, 27.0], [np.nan] * 4], "float32")
    model = model_of(graph_of(function, [x], batch=True))
    assert ops_of(model) == operators.split()
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(run(model, [x])[0], function(x), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_logarithm_keeps_the_sign_of_zero(dtype):
    assert np.signbit(results_of(ops.log1p, np.array([-0.0, 0.0], dtype))).tolist() == [True, False]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
def test_running_products_of_ints_wrap_around(dtype):
    x = np.array([[3, 101, 7, 9, 11, 13, 99, 97, 103, 107, 109, 113, 121, 31, 33]], dtype)
    found = results_of(lambda x: ops.cumprod(x, axis=1), x)
    np.testing.assert_array_equal(found, np.cumprod(x, axis=1, dtype=dtype))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "uint32", "int64", "uint64"])
def test_ints_are_whole_numbers(dtype):
    x = np.array([0, 1, 1 if dtype == "bool" else np.iinfo(dtype).max], dtype)
    np.testing.assert_array_equal(results_of(ops.isnan, x), [False] * 3, strict=True)
    if dtype != "bool":
        np.testing.assert_array_equal(results_of(ops.round, x), x, strict=True)
