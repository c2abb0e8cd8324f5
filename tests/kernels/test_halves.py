"""Floats of two bytes to and from float32: by instructions and by integers, every number of them."""

import ml_dtypes
import numpy as np
import pytest
from llvmlite import ir

from kcompile.kernels import halves
from kcompile.kernels.host import host
from tests.kernels.loops import apply

DTYPES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16}
BY_INSTRUCTION = pytest.mark.skipif(not host().converts_float16, reason="the CPU has no instruction for it")
WAYS = [pytest.param("f16", True, marks=BY_INSTRUCTION), ("f16", False), ("bf16", True)]


@pytest.mark.parametrize(("kind", "converts"), WAYS)
def test_every_number_is_widened_exactly(kind, converts):
    bits = np.arange(2**16, dtype=np.uint16)
    got = apply(
        lambda b, x: halves.widen(b, kind, b.trunc(x, ir.IntType(16)), converts), bits.astype(np.uint32)
    )
    want = bits.view(DTYPES[kind]).astype(np.float32)
    np.testing.assert_array_equal(got, want)
    assert np.array_equal(np.signbit(got), np.signbit(want))


def awkward(kind):
    """Every number, the ties between neighbours and what lies beside ties, far and special numbers."""
    finite = np.arange(2**16, dtype=np.uint16).view(DTYPES[kind]).astype(np.float32)
    finite = np.unique(finite[np.isfinite(finite)])
    ties = ((finite[1:].astype("f8") + finite[:-1]) / 2).astype(np.float32)
    beside = [np.nextafter(ties, np.float32(side)) for side in (-np.inf, np.inf)]
    words = np.random.default_rng(0).integers(0, 2**32, 50_000, np.uint32).view(np.float32)
    far = np.array([65504, 65519.99, 65520, 65536, 1e30, 3.4e38, np.inf, np.nan, 1e-45, 0.0], np.float32)
    return np.concatenate([finite, ties, *beside, words, far, -far])


@pytest.mark.parametrize(("kind", "converts"), WAYS)
def test_rounding_is_to_nearest_even(kind, converts):
    x = awkward(kind)
    got = apply(
        lambda b, v: b.zext(halves.narrow(b, kind, v, converts), ir.IntType(32)), x, output="u4"
    ).astype(np.uint16)
    with np.errstate(all="ignore"):
        want = x.astype(DTYPES[kind])
    number = ~np.isnan(x)
    assert np.array_equal(got[number], want[number].view(np.uint16))
    assert np.isnan(got[~number].view(DTYPES[kind]).astype(np.float32)).all()
