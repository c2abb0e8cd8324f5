"""Every op, on each of its samples, computes the same in onnxruntime as its NumPy reference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kcompile import ops
from kcompile.core import dtypes
from kcompile.export.onnx.emit import UnsupportedOps
from tests.export.onnx_tools import LATEST, graph_of, model_of, run
from tests.helpers import all_ops, assert_close, parametrize_samples, samples_of
from tests.test_op_contract import TERMS, results

RANDOM = "ONNX's random operators do not draw by counter, so they cannot give the same numbers"
OUTSIDE = "ONNX leaves indices outside of a tensor undefined, and onnxruntime refuses them"

# Ops that no ONNX file can hold, and why.
NO_ONNX = {
    "batched": "made by passes from loops, after export",
    "random_bits": RANDOM,
    "random_uniform": RANDOM,
}
# The opset from which on an op can be written, where it is not the first.
SINCE = {"from_bits": 26, "to_bits": 26}
# Samples that mean something else to ONNX: (op, sample's name) -> why.
NOT_ONNX = {
    ("take", "outside"): OUTSIDE,
    ("take", "ints"): OUTSIDE,
    ("take_along_axis", "outside"): OUTSIDE,
    ("scatter", "outside"): OUTSIDE,
    ("scatter_add_rows", "outside"): OUTSIDE,
    ("scatter_along_axis", "repeated"): OUTSIDE,
}
# Ops whose small results are differences of numbers near 1, so that their error is one of numbers near 1.
CANCELLING = {"normal_cdf"}


# Iterations until numbers of float32 or float64 are small.
NO_HALVES = {"eigh", "svd"}

NUMPY_LIKE = [
    "abs",
    "negative",
    "sign",
    "square",
    "sqrt",
    "exp",
    "log",
    "floor",
    "round",
    "relu",
    "isnan",
    "add",
    "subtract",
    "multiply",
    "divide",
    "floor_divide",
    "mod",
    "power",
    "maximum",
    "minimum",
    "less",
    "equal",
    "sum",
    "prod",
    "max",
    "min",
    "any",
    "mean",
    "argmax",
    "cumsum",
]

BINARY = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "floor_divide",
    "mod",
    "power",
    "maximum",
    "minimum",
    "less",
    "equal",
]


def exported(op, sample, opset=18):
    return model_of(graph_of(lambda *xs: op(*xs, **sample.attrs), sample.arrays), opset)


@parametrize_samples()
@pytest.mark.parametrize("opset", [13, 18, 23])
def test_onnx_runs_the_same_in_onnxruntime(op, sample, opset):
    if op.name in NO_ONNX or opset < SINCE.get(op.name, 0):
        with pytest.raises(UnsupportedOps, match=op.name):
            exported(op, sample, opset)
        return
    if (op.name, sample.name) in NOT_ONNX:
        pytest.skip(NOT_ONNX[op.name, sample.name])
    found = run(exported(op, sample, opset), sample.arrays)
    scale = 1.0 if op.name in CANCELLING else None
    for got, expected in zip(found, results(op, sample), strict=True):
        assert_close(got, expected, TERMS, scale)


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "int16", "int32", "uint16", "uint32", "float16", "float64"]
)
@pytest.mark.parametrize("name", NUMPY_LIKE)
def test_dtypes_that_onnx_lacks_are_computed_in_wider_ones(name, dtype):
    function = getattr(ops, name)
    rng = np.random.default_rng(0)
    arrays = [rng.integers(1, 5, (3, 4)).astype(dtype) for _ in range(2 if name in BINARY else 1)]
    try:
        expected = np.asarray(function(*arrays))
    except TypeError:
        pytest.skip(f"NumPy has no {name} of {dtype}")
    [got] = run(model_of(graph_of(function, arrays)), arrays)
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(
        got.astype("float64"), expected.astype("float64"), rtol=2e-3
    )  # float16: 2 ** -10


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize(
    "op",
    [o for o in all_ops() if o.name not in {*NO_ONNX, "to_bits"} and not o.has_bodies],
    ids=lambda op: op.name,
)
def test_other_floats_run_the_same(op, dtype):
    """One sample of each op; bfloat16 between casts, because onnxruntime's Python knows no such arrays."""
    samples = [s for s in samples_of(op) if any(a.dtype == np.float32 and a.size for a in s.arrays)]
    samples = [s for s in samples if (op.name, s.name) not in NOT_ONNX]
    if not samples or (op.name in NO_HALVES and dtype != "float64"):
        pytest.skip("no input of this dtype")
    given = [_converted(a, dtype) for a in samples[0].arrays]
    arrays = [a.astype("float32") if a.dtype.name == "bfloat16" else a for a in given]

    def function(*xs):
        if dtype != "bfloat16":
            return op(*xs, **samples[0].attrs)
        made = op(*(ops.cast(x, dtype) if x.dtype == "float32" else x for x in xs), **samples[0].attrs)
        made = made if isinstance(made, tuple) else (made,)
        return tuple(ops.cast(y, "float32") if y.dtype == dtype else y for y in made)

    found = run(model_of(graph_of(function, arrays)), arrays)
    wanted = op.evaluate(tuple(given), samples[0].attrs)
    # Attributes of ONNX's operators are float32, and so are its products of float64 without a kernel.
    limit = dtypes.tolerance("float32" if dtype == "float64" else dtype, TERMS if dtype == "float64" else 1)
    for got, want in zip(found, wanted if op.outputs != 1 else (wanted,), strict=True):
        assert got.dtype == want.dtype or (dtype == "bfloat16" and got.dtype == np.float32)
        got, want = (np.asarray(a).astype("float64") for a in (got, want))
        size = max(1e-30, np.abs(want[np.isfinite(want)]).max(initial=0.0))
        np.testing.assert_allclose(got, want, rtol=limit, atol=limit * size)


def _converted(array, dtype):
    return array.astype(dtypes.numpy_dtype(dtype)) if array.dtype == np.float32 else array


def test_the_exceptions_above_exist():
    names = {(op.name, sample.name) for op in all_ops() for sample in samples_of(op)}
    assert NOT_ONNX.keys() <= names
    assert {*NO_ONNX, *SINCE} <= {op for op, _ in names}


EDGES = [math.nan, math.inf, -math.inf, -0.0, 0.0, 1e-30, -1e-9, 0.1, -0.3, 0.5, 1.0, -1.5, 3.0, -1e10]
SIGNED_ZERO = {"arctan2"}  # whose zeros tell from which side


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("opset", [13, LATEST])
@pytest.mark.parametrize("name", ["arctan2", "floor_divide", "mod", "power", "maximum", "minimum", "divide"])
def test_pairs_of_nan_infinities_and_zeros_are_as_in_numpy(name, opset, dtype):
    with np.errstate(all="ignore"):
        edges = np.array(EDGES, dtype)
        pairs = [side.ravel() for side in np.meshgrid(edges, edges)]
        want = getattr(np, name)(*pairs)
    [got] = run(model_of(graph_of(getattr(ops, name), pairs), opset), pairs)
    limit = dtypes.tolerance("float16" if dtype == "float16" else "float32")
    np.testing.assert_allclose(got, want, rtol=limit, atol=1e-25)  # less than any number over a large one
    if name in SIGNED_ZERO:
        np.testing.assert_array_equal(np.signbit(got), np.signbit(want) | (np.isnan(want) & np.signbit(got)))
