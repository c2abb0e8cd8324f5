"""Every op in float16 and bfloat16: compiled against its reference, which rounds once from float32."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

import kcompile
from kcompile import ops
from kcompile.core import dtypes
from tests.helpers import all_ops, samples_of
from tests.programs import failures, gradients_of, make_case

SAMPLES = 3  # per op, chosen by its name
# Of sums of half numbers only the result is rounded, so no sum has a wider tolerance than a single number.
TERMS = 1
# In a gradient of several ops the reference rounds after each of them, a kernel at its end.
STEPS = 4


def halves(array: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        return array.astype(dtypes.numpy_dtype(dtype)) if array.dtype == np.float32 else array


def cases_of(op, differentiable=False, samples=SAMPLES):
    """Cases of some samples, each in both dtypes."""
    chosen = [s for s in samples_of(op) if any(a.dtype == np.float32 for a in s.arrays)]
    chosen = [s for s in chosen if s.differentiable or not differentiable]
    order = np.random.default_rng(zlib.crc32(op.name.encode())).permutation(len(chosen))[:samples]
    for number in sorted(order):
        sample = chosen[number]
        for dtype in dtypes.HALVES:
            arrays = [halves(a, dtype) for a in sample.arrays]
            name = f"{op.name} {number} {sample.name} {dtype}"
            yield make_case(name, lambda *xs, s=sample: op(*xs, **s.attrs), arrays)


WITHOUT_HALVES = {"to_bits"}  # refused: no unsigned ints of 16 bits are computed with
# The bodies of an op's samples have dtypes of their own.
OPS = [
    op
    for op in all_ops()
    if not op.has_bodies
    and op.name not in WITHOUT_HALVES
    and any(a.dtype == np.float32 for s in samples_of(op) for a in s.arrays)
]


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_values(op):
    assert failures(list(cases_of(op)), TERMS) == []


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_gradients(op):
    try:
        found = [g for g in map(gradients_of, cases_of(op, True, 1)) if g is not None]
    except NotImplementedError:
        pytest.skip("the op has no gradient")
    if not found:
        pytest.skip("no float input leads to a float output")
    assert failures(found, STEPS) == []


@pytest.mark.parametrize("dtype", dtypes.HALVES)
def test_a_scan_carries_halves(dtype):
    rng = np.random.default_rng(0)
    arrays = [halves(rng.normal(size=s).astype("float32"), dtype) for s in ((3, 4), (5, 3, 4), (4, 4))]

    def scanned(h, xs, w):
        return ops.scan(lambda h, x: (ops.tanh(ops.matmul(h, w) + x),) * 2, h, xs)

    case = make_case(f"scan {dtype}", scanned, arrays)
    assert [y.dtype for y in case.outputs] == [dtype] * 2
    found = [case, gradients_of(case)]
    assert failures(found, STEPS) == []


def test_a_layer_of_two_byte_floats_on_no_samples():
    layer, nothing = kcompile.layers.LSTM(2, dtype="bfloat16"), np.zeros((0, 7, 4), "float32")
    assert layer(nothing).shape == kcompile.jit(lambda x: layer(x))(nothing).shape == (0, 2)
