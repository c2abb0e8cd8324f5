"""The counter-based generator: known answers, the emitted code against NumPy, and the uniform numbers."""

import numpy as np
import pytest

from kcompile.kernels.math import philox as emitted
from kcompile.kernels.random.philox import philox2x32, uniform
from tests.kernels.loops import apply

# philox2x32-10 of Random123's kat_vectors: counter, key, words
KNOWN = [
    ((0x00000000, 0x00000000), 0x00000000, (0xFF1DAE59, 0x6CD10DF2)),
    ((0xFFFFFFFF, 0xFFFFFFFF), 0xFFFFFFFF, (0x2C3F628B, 0xAB4FD7AD)),
    ((0x243F6A88, 0x85A308D3), 0x13198A2E, (0xDD7CE038, 0xF62A4C12)),
]


@pytest.mark.parametrize("counter, key, words", KNOWN)
def test_known_answers(counter, key, words):
    assert tuple(int(word) for word in philox2x32(*counter, key)) == words


def test_counters_and_keys_broadcast():
    words, _ = philox2x32(np.arange(5), np.arange(3)[:, None], 7)
    assert words.shape == (3, 5) and words.dtype == np.uint32
    assert words[2, 4] == philox2x32(4, 2, 7)[0]


@pytest.mark.parametrize("word", [0, 1])
def test_emitted_code_equals_numpy(word):
    rng = np.random.default_rng(0)
    counters = [rng.integers(0, 1 << 32, 1000).astype("u4") for _ in range(3)]
    got = apply(lambda b, *w: emitted.philox2x32(b, *w)[word], *counters, output="u4")
    assert np.array_equal(got, philox2x32(*counters)[word])


def test_uniform_numbers_lie_in_range_and_are_flat():
    counters = np.arange(100_000, dtype="u4")
    zeros = np.zeros_like(counters)
    got = apply(lambda b, *w: emitted.uniform(b, emitted.philox2x32(b, *w)[0]), counters, zeros, zeros)
    assert np.array_equal(got, uniform(counters, 0, 0))
    assert got.min() >= 0 and got.max() < 1
    histogram, _ = np.histogram(got, 10, (0, 1))
    # 100 is one standard deviation of a bin's count of 10,000.
    assert abs(histogram - 10_000).max() < 400


def test_largest_word_stays_below_one():
    assert apply(emitted.uniform, np.array([0xFFFFFFFF, 0], "u4")).tolist() == [1 - 2**-24, 0]
