"""The scalar mathematics: error bounds over the whole range of float32, special values, and vectorization."""

import math
import re

import numpy as np
import pytest

from kcompile.kernels.host import host
from kcompile.kernels.math.arctangent import arctan2
from kcompile.kernels.math.division import floor_quotient, remainder
from kcompile.kernels.math.erf import erf
from kcompile.kernels.math.exp import exp
from kcompile.kernels.math.expm1 import expm1
from kcompile.kernels.math.gelu import gelu, normal_cdf
from kcompile.kernels.math.log import log
from kcompile.kernels.math.log1p import log1p
from kcompile.kernels.math.power import pow as power
from kcompile.kernels.math.rounding import ceil, floor, maximum, minimum, round, rsqrt, sqrt
from kcompile.kernels.math.sigmoid import sigmoid
from kcompile.kernels.math.softplus import softplus
from kcompile.kernels.math.tanh import tanh
from kcompile.kernels.math.trigonometry import cos, sin
from tests.kernels.loops import apply, optimized


def each(function):
    """A function of Python floats over an array; NaN where it is undefined."""

    def one(x):
        try:
            return function(x)
        except ValueError:
            return math.nan

    return np.vectorize(one, otypes=[float])


def normal_cdf_reference(x):
    return each(lambda v: 0.5 * math.erfc(-v * math.sqrt(0.5)))(x)


def gelu_reference(x):
    return np.where(x == -np.inf, -0.0, x * normal_cdf_reference(x))


def sigmoid_reference(x):
    e = np.exp(-abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus_reference(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


NO_FMA = not host().fuses
# name: emitter, float64 reference, bound in ULP (as its module states), stride through the bit patterns
FUNCTIONS = {
    "exp": (exp, np.exp, 1.2, 1009),
    "log": (log, np.log, 1.0, 1009),
    "log1p": (log1p, np.log1p, 1.0, 1009),
    "expm1": (expm1, np.expm1, 1.5, 1009),
    "tanh": (tanh, np.tanh, 2.5, 1009),
    "sigmoid": (sigmoid, sigmoid_reference, 2.5, 1009),
    "softplus": (softplus, softplus_reference, 2.5, 1009),
    "erf": (erf, each(math.erf), 1.2, 5003),
    "gelu": (gelu, gelu_reference, 4.0 + 0.5 * NO_FMA, 5003),
    "normal_cdf": (normal_cdf, normal_cdf_reference, 4.0, 5003),
    "sin": (sin, each(math.sin), 1.8 + 0.7 * NO_FMA, 5003),
    "cos": (cos, each(math.cos), 1.8 + 0.7 * NO_FMA, 5003),
    "rsqrt": (rsqrt, lambda x: 1 / np.sqrt(x), 1.5, 1009),
    "sqrt": (sqrt, np.sqrt, 0.5, 1009),
    "floor": (floor, np.floor, 0.0, 1009),
    "ceil": (ceil, np.ceil, 0.0, 1009),
    "round": (round, np.round, 0.0, 1009),
}
BINARY = {
    "pow": power,
    "maximum": maximum,
    "minimum": minimum,
    "arctan2": arctan2,
    "floor_quotient": floor_quotient,
    "remainder": remainder,
}
SPECIAL_BITS = [
    0x00000000,
    0x00000001,
    0x007FFFFF,
    0x00800000,
    0x3F800000,
    0x3F7FFFFF,
    0x7F7FFFFF,
    0x7F800000,
]
NAN_BITS = [0x7FC00000, 0x7FC00001, 0x7FFFFFFF, 0x7F800001, 0xFFC00000, 0xFFFFFFFF]


def patterns(stride):
    """Every stride-th float32, and the special ones with both signs."""
    special = [*SPECIAL_BITS, *(bits | 1 << 31 for bits in SPECIAL_BITS), *NAN_BITS]
    return np.concatenate([np.arange(0, 1 << 32, stride), special]).astype("u4").view("f4")


def errors_in_ulp(got, want):
    """|got - want| by the spacing of float32 at want; the spacing of subnormals below the normal range."""
    exponent = np.floor(np.log2(np.maximum(abs(want), 2.0**-126)))
    return abs(got.astype("f8") - want) / 2.0 ** (exponent - 23)


def check(got, want, bound):
    """Same NaNs, infinities and signs of zero as the rounded reference, errors within the bound."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = want.astype("f4")
    assert np.array_equal(np.isnan(got), np.isnan(rounded))
    infinite = np.isinf(got) | np.isinf(rounded)
    assert np.array_equal(got[infinite], rounded[infinite])
    zero = got == 0
    assert np.array_equal(np.signbit(got[zero]), np.signbit(rounded[zero]))
    finite = np.isfinite(got)
    assert errors_in_ulp(got[finite], want[finite]).max() <= bound


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_error_over_the_whole_range(name):
    emit, reference, bound, stride = FUNCTIONS[name]
    x = patterns(stride)
    with np.errstate(all="ignore"):
        check(apply(emit, x), reference(x.astype("f8")), bound)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_error_where_networks_compute(name):
    emit, reference, bound, _ = FUNCTIONS[name]
    x = np.linspace(-20, 20, 200_001).astype("f4")
    with np.errstate(all="ignore"):
        check(apply(emit, x), reference(x.astype("f8")), bound)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_is_the_c_library(name):
    emit, reference, _, _ = FUNCTIONS[name]
    x = np.concatenate([np.linspace(-20, 20, 4001), [np.nan, np.inf, -np.inf]])
    with np.errstate(all="ignore"):
        want = reference(x)
    got = apply(emit, x, output="f8")
    assert np.array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_allclose(got, want, rtol=8 * np.finfo("f8").eps, atol=0)


@pytest.mark.parametrize("name", [*FUNCTIONS, *BINARY])
def test_loop_is_vectorized(name):
    emit, inputs = (BINARY[name], ["f4", "f4"]) if name in BINARY else (FUNCTIONS[name][0], ["f4"])
    text = optimized(emit, inputs)
    assert re.search(r"store <\d+ x (float|i32)>", text)
    assert not re.search(r"call \w* ?float @(?!llvm\.)", text), "calls a scalar function"


def powers():
    """Pairs of base and exponent: ordinary ones, extremes, and all special ones with each other."""
    rng = np.random.default_rng(0)
    x, y = 10 ** rng.uniform(-30, 30, 200_000), rng.normal(size=200_000) * 3
    near, large = 1 + rng.normal(size=100_000) * 1e-3, rng.normal(size=100_000) * 3e4
    whole = rng.normal(size=100_000) * 20, rng.integers(-30, 30, 100_000)
    special = [0.0, 1.0, 0.5, 2.0, 3.0, 2.5, 1e-40, 1e30, 8388607.0, 8388609.0, 16777216.0, np.inf, np.nan]
    grid = np.array([sign * v for v in special for sign in (1, -1)])
    left, right = np.meshgrid(grid, grid)
    pairs = [(x, y), (near, large), whole, (left.ravel(), right.ravel())]
    return [np.concatenate(side).astype("f4") for side in zip(*pairs, strict=True)]


def test_pow_error_and_special_cases():
    x, y = powers()
    with np.errstate(all="ignore"):
        check(apply(power, x, y), np.power(x.astype("f8"), y.astype("f8")), 1.0)


def test_arctan2_error_and_special_cases():
    y, x = powers()
    with np.errstate(all="ignore"):
        check(apply(arctan2, y, x), np.arctan2(y.astype("f8"), x.astype("f8")), 2.5)


def divisions():
    """Dividends and divisors of all signs: quotients near whole numbers, zeros and infinities."""
    rng = np.random.default_rng(0)
    y = rng.uniform(0.05, 9, 100_000) * rng.choice([-1, 1], 100_000)
    whole = rng.integers(-1000, 1000, 100_000)
    special = [0.0, 1.0, -1.0, 0.1, -0.3, np.inf, -np.inf, np.nan]
    left, right = np.meshgrid(special, special)
    near = (y * whole).astype("f4")
    x = np.concatenate([near, np.nextafter(near, np.float32(0)), left.ravel()])
    return x.astype("f4"), np.concatenate([y, y, right.ravel()]).astype("f4")


@pytest.mark.parametrize("emit, reference", [(floor_quotient, np.floor_divide), (remainder, np.mod)])
def test_division_is_exact_as_in_numpy(emit, reference):
    x, y = divisions()
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(apply(emit, x, y), reference(x, y))


def test_remainders_of_large_quotients_and_of_what_is_next_to_zero():
    x = np.array([-1e-9, 1e-9, 1e10, -1e10, 8388608.5, 1e20, -3e15, 1e6, 2.5], "f4")
    y = np.array([3.0, -3.0, 1.5, 7.3, 0.1, 3.0, 0.7, -1e-7, np.inf], "f4")
    np.testing.assert_array_equal(apply(remainder, x, y), np.mod(x, y))
    np.testing.assert_array_equal(apply(floor_quotient, x[:2], y[:2]), [-1.0, -1.0])


@pytest.mark.parametrize("emit, reference", [(maximum, np.maximum), (minimum, np.minimum)])
def test_order_propagates_nan(emit, reference):
    values = np.array([0.0, 1.0, -1.0, np.inf, -np.inf, np.nan], "f4")
    x, y = (side.ravel() for side in np.meshgrid(values, values))
    np.testing.assert_array_equal(apply(emit, x, y), reference(x, y))


def test_order_with_a_constant_propagates_nan():
    x = np.array([-1, 2, np.nan, np.inf], "f4")
    np.testing.assert_array_equal(apply(lambda b, v: maximum(b, v, v.type(0.0)), x), np.maximum(x, 0))


@pytest.mark.parametrize("name", ["exp", "tanh", "gelu", "log", "sin"])
def test_emitters_accept_vectors(name):
    """The same function emitted for <8 x float> gives the same bits as for float."""
    from llvmlite import ir

    emit, x = FUNCTIONS[name][0], np.linspace(0.1, 5, 8).astype("f4")
    vector = ir.VectorType(ir.FloatType(), 8)

    def through_a_vector(b, value):
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), 8), [0] * 8)
        first = b.insert_element(ir.Constant(vector, ir.Undefined), value, ir.IntType(32)(0))
        spread = b.shuffle_vector(first, first, lanes)
        return b.extract_element(emit(b, spread), ir.IntType(32)(3))

    assert np.array_equal(apply(through_a_vector, x), apply(emit, x))
