"""The mathematics as called from Numba's code, under the fast-math flags that kernels are compiled with."""

import re

import numba
import numpy as np
import pytest

from kcompile.kernels.math import numba_ops
from kcompile.kernels.random.philox import philox2x32, uniform
from tests.kernels import loops
from tests.kernels.test_math import FUNCTIONS

FLAGS = {"contract", "reassoc", "nsz", "arcp"}


def mapped(op):
    """A Numba loop y[i] = op(x[i])."""

    @numba.njit(fastmath=FLAGS, boundscheck=False, error_model="numpy")
    def loop(x, y):
        for i in range(x.size):
            y[i] = op(x[i])

    return loop


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numba_computes_the_same_bits_and_vectorizes(name):
    loop = mapped(getattr(numba_ops, name))
    x = np.concatenate([np.linspace(-30, 30, 1000), [np.inf, -np.inf, np.nan, 1e30, 1e-40]]).astype("f4")
    y = np.empty_like(x)
    loop(x, y)
    want = loops.apply(FUNCTIONS[name][0], x)
    assert np.array_equal(y.view("u4"), want.view("u4")) or np.array_equal(y, want, equal_nan=True)
    (text,) = loop.inspect_llvm().values()
    assert re.search(r"store <\d+ x (float|i32)>", text)


@pytest.mark.parametrize("name", ["exp", "tanh", "gelu", "erf", "log1p"])
def test_numba_float64(name):
    x = np.linspace(0.1, 3, 7)
    y = np.empty_like(x)
    mapped(getattr(numba_ops, name))(x, y)
    np.testing.assert_allclose(y, FUNCTIONS[name][1](x), rtol=8 * np.finfo("f8").eps)


def test_binary_ops():
    @numba.njit
    def all_three(x, y):
        return numba_ops.pow(x, y), numba_ops.maximum(x, y), numba_ops.minimum(x, y)

    assert all_three(np.float32(2), np.float32(5)) == (32, 5, 2)
    assert all_three(2.0, 0.5) == (2**0.5, 2, 0.5)


def test_mixed_types_are_refused():
    @numba.njit
    def mixed(x, y):
        return numba_ops.pow(x, y)

    with pytest.raises(numba.TypingError):
        mixed(np.float32(2), 5.0)


def test_bits_and_words():
    @numba.njit
    def helpers(x, word):
        bits = numba_ops.f32_bits(x)
        return bits, numba_ops.bits_f32(bits), numba_ops.mulhi_u32(word, bits)

    bits, back, high = helpers(np.float32(-1.5), np.uint32(0xDEADBEEF))
    assert (bits, back, high) == (0xBFC00000, -1.5, 0xDEADBEEF * 0xBFC00000 >> 32)


def test_random_numbers_from_wide_integers_take_them_modulo_a_word():
    @numba.njit
    def draw(low, high, key):
        return numba_ops.philox2x32(low, high, key), numba_ops.uniform_f32(low, high, key)

    assert draw(5, 6, 7) == (philox2x32(5, 6, 7)[0], uniform(5, 6, 7))
    assert draw((1 << 32) + 5, -1, 7) == (philox2x32(5, 0xFFFFFFFF, 7)[0], uniform(5, 0xFFFFFFFF, 7))


def test_random_loop_is_vectorized():
    @numba.njit(fastmath=FLAGS, boundscheck=False)
    def fill(y, key):
        for i in range(y.size):
            y[i] = numba_ops.uniform_f32(i, i >> 32, key)

    y = np.empty(100, "f4")
    fill(y, 3)
    assert np.array_equal(y, uniform(np.arange(100), 0, 3))
    (text,) = fill.inspect_llvm().values()
    assert re.search(r"store <\d+ x float>", text)
