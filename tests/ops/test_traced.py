"""Public ops in a trace, with leading dimensions known only at run time, against the numbers of Keras."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core import tree
from kcompile.core.errors import ShapeError
from kcompile.core.symbolic import symbol
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Value
from kcompile.ir.op import constant, make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from tests.ops.test_parity import CASES, EXPECTED, INPUTS, compared

SYMBOLIC = {
    **dict.fromkeys("fgpijubhl", "n"),
    "b_float": "n",
    "l_outside": "n",
    "rows": "n",
    **dict.fromkeys("cmyo", "n"),
    **dict.fromkeys(("nans", "flags"), "n"),
    **dict.fromkeys("txq", "m"),
    **dict.fromkeys(("wave", "batch", "tall", "deep", "tall_turned"), "m"),
    "x_first": "m",
}

# Patterns of cases that cannot be traced like this, and the error that says so.
NO_NUMBERS = r"(nonzero(-.*)?|where-nonzero|view_as_complex|polar|eig)"
NO_EXTENTS = "|".join(
    [
        r".*-(t\.f|q\.h)",  # both have unknown rows, which may differ
        r"(norm-2|fft2|ifft2)",
        r"vsplit|segment_min|broadcast_to|correlate-(full|valid)",
        r"scatter_update-(add|max|mul)|scatter-rows",
        r"unique(-all|-axis)?|vectorize(-signature)?",
    ]
)
HOST_NUMBERS = ("shape", "size")  # their results are no tensors


def parameters() -> dict[str, object]:
    found = {}
    for name, array in INPUTS.items():
        if array.dtype.kind == "c":
            found[name] = array
            continue
        lead = (symbol(SYMBOLIC[name]),) if name in SYMBOLIC else array.shape[:1]
        found[name] = make_parameter(name, TensorType((*lead, *array.shape[1:]), array.dtype.name))
    return found


PARAMETERS = parameters()


def refused(name: str) -> type[Exception] | None:
    if re.fullmatch(NO_NUMBERS, name):
        return NotImplementedError
    return ShapeError if re.fullmatch(NO_EXTENTS, name) else None


@pytest.mark.parametrize("name", [n for n in compared() if refused(n) is None and n not in HOST_NUMBERS])
def test_traced_as_keras(name):
    leaves = [constant(leaf) for leaf in tree.flatten(CASES[name](ops, PARAMETERS))]
    known = {value: INPUTS[key] for key, value in PARAMETERS.items() if isinstance(value, Value)}
    for actual, wanted in zip(evaluate(leaves, known, {"n": 3, "m": 2}), EXPECTED[name], strict=True):
        assert (actual.shape, actual.dtype) == (wanted.shape, wanted.dtype)
        near = 2e-3 if wanted.dtype == np.float16 else 2e-5
        np.testing.assert_allclose(actual.astype("f8"), wanted.astype("f8"), rtol=near, atol=near / 10)


@pytest.mark.parametrize("name", [n for n in compared() if refused(n) is not None])
def test_what_cannot_be_traced_says_so(name):
    with pytest.raises(refused(name)):
        CASES[name](ops, PARAMETERS)


def test_equality_of_traced_tensors_is_elementwise():
    """As in Keras's compiled steps; outside of a trace values are the same object or not."""
    from kcompile.trace.tracer import trace

    x, y = (make_parameter(n, TensorType((3,))) for n in "ab")
    assert (x == y) is False
    graph, _ = trace(lambda a, b: (a == b, a != 0.0, a != a, (a == None) is False), [x, y])  # noqa: E711
    a, b = np.array([0.0, 1.0, np.nan], "float32"), np.array([0.0, 2.0, 3.0], "float32")
    same, nonzero, odd, never = compile_graph(graph)(a, b)
    assert same.tolist() == [True, False, False]
    assert nonzero.tolist() == [False, True, True]
    assert odd.tolist() == [False, False, True]
    assert never


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_first_nan_is_the_extreme(name):
    x = np.array([[np.nan, 1, 2], [0, np.nan, np.nan], [3, 1, 2], [np.inf, -np.inf, np.nan]], "float32")
    function = getattr(ops, name)
    run = compile_graph(trace(lambda v: function(v, axis=-1), [make_parameter("x", TensorType((4, 3)))])[0])
    np.testing.assert_array_equal(run(x)[0], getattr(np, name)(x, axis=-1))
