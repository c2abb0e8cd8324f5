"""Functions of CUDA kernels against the references: random bits, and mathematics at its edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kcompile.kernels.random.philox import philox2x32, uniform
from kcompile.runtime.cuda import simt
from kcompile.runtime.cuda.arrays import GlobalArray


def apply(text: str, *inputs: np.ndarray, dtype: type = np.float32) -> np.ndarray:
    """An expression of v0, v1 ... for each element."""
    names = [f"x{k}" for k in range(len(inputs))]
    loads = "".join(f"        v{k} = {name}[at(i)]\n" for k, name in enumerate(names))
    body = "    i = i64(cuda.blockIdx.x) * 32 + i64(cuda.threadIdx.x)\n"
    body += f"    if i < n0:\n{loads}        y[at(i)] = {text}\n"
    result = np.zeros(inputs[0].size, dtype)
    arrays = [GlobalArray(n, a, None, False, 32) for n, a in zip(names, inputs, strict=True)]
    out = GlobalArray("y", result, None, True, 32)
    head = f"def kernel({', '.join([*names, 'y', 'n0'])}):\n"
    simt.run(head + body, [*arrays, out, result.size], -(-result.size // 32), 32)
    return result


COUNTERS = np.array([0, 1, 2**31, 2**32 - 1, 2**32 + 5, 123456789012], np.int64)
KEYS = np.array([0, 7, 2**32 - 1, 3, 5, 2**31], np.int64)


def test_random_bits_are_those_of_the_reference():
    found = apply("philox2x32(v0, v1, v1)", COUNTERS, KEYS, dtype=np.uint32)
    assert found.tolist() == philox2x32(COUNTERS, KEYS, KEYS)[0].tolist()


def test_uniform_numbers_are_those_of_the_reference():
    assert apply("uniform_f32(v0, v1, v1)", COUNTERS, KEYS).tolist() == uniform(COUNTERS, KEYS, KEYS).tolist()


SPECIAL = np.array([0.0, -0.0, 1.0, -2.5, 1e-30, 80.0, -90.0, np.inf, -np.inf, np.nan], np.float32)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("relu(v0)", lambda x: np.maximum(x, 0)),
        ("sign_of(v0)", np.sign),
        ("magnitude(v0)", np.abs),
        ("sigmoid(v0)", lambda x: 1 / (1 + np.exp(-x.astype(np.float64)))),
        ("softplus(v0)", lambda x: np.logaddexp(x.astype(np.float64), 0)),
        ("normal_cdf(v0)", np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)))),
        ("maximum(v0, f32(1.0))", lambda x: np.maximum(x, 1)),
        ("minimum(v0, f32(1.0))", lambda x: np.minimum(x, 1)),
        ("maximum(f32(1.0), v0)", lambda x: np.maximum(x, 1)),
        ("round(v0)", np.rint),
    ],
)
def test_special_numbers(text, reference):
    with np.errstate(all="ignore"):
        expected = reference(SPECIAL)
    np.testing.assert_allclose(apply(text, SPECIAL), expected, rtol=1e-6, atol=1e-38)


def test_floor_division_is_exact_where_rounding_misleads():
    a = np.array([1.0, -1.0, 7.0, -7.0, 6.0, 0.3, 1e6], np.float32)
    b = np.array([0.1, 0.1, 2.0, 2.0, -4.0, 0.1, 0.1], np.float32)
    np.testing.assert_array_equal(apply("floor_quotient(v0, v1)", a, b), a // b)
    np.testing.assert_allclose(apply("remainder(v0, v1)", a, b), a % b, atol=1e-8)


def test_remainders_of_large_quotients_and_of_what_is_next_to_zero():
    a = np.array([-1e-9, 1e-9, 1e10, -1e10, 8388608.5, -3e15, 1e6], np.float32)
    b = np.array([3.0, -3.0, 1.5, 7.3, 0.1, 0.7, -1e-7], np.float32)
    np.testing.assert_array_equal(apply("remainder(v0, v1)", a, b), a % b)
    np.testing.assert_array_equal(apply("floor_quotient(v0, v1)", a[:2], b[:2]), [-1.0, -1.0])


def test_bfloat16_is_rounded_to_nearest_even():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = np.array([1.0, 1.00390625, 1.01171875, -3.14159, 1e-40, 3e38, np.inf, np.nan], np.float32)
    found = apply("to_bf16(v0)", x, dtype=np.uint16)
    want = x.astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(found.view(ml_dtypes.bfloat16).astype(np.float32), want.astype(np.float32))
    np.testing.assert_array_equal(apply("from_bf16(v0)", found), want.astype(np.float32))


def test_integer_powers_wrap_around():
    base, exponent = np.array([3, -2, 10, 0], np.int64), np.array([5, 63, 20, 0], np.int64)
    assert (
        apply("integer_power(v0, v1)", base, exponent, dtype=np.int64).tolist() == (base**exponent).tolist()
    )
