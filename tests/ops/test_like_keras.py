"""Arguments that Keras refuses are refused with its types of errors; shapes of ops on placeholders."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops

X = np.arange(6, dtype="float32").reshape(2, 3)
WAVE = np.arange(20, dtype="float32")

REFUSED = {
    "rearrange-names": (lambda: ops.rearrange(X, "a b -> b c"), ValueError, "the same names"),
    "rearrange-rank": (lambda: ops.rearrange(X, "a b c -> c b a"), ValueError, "3 dimensions"),
    "rearrange-open": (lambda: ops.rearrange(X, "a (b c) -> a b c"), ValueError, "all but one"),
    "rearrange-unknown": (lambda: ops.rearrange(X, "a b -> b a", c=2), ValueError, r"\['c'\] do not occur"),
    "rearrange-extent": (lambda: ops.rearrange(X, "a (b c) -> a b c", b=2), ValueError, "an axis of 3"),
    "rearrange-text": (lambda: ops.rearrange(X, "a [b] -> b a"), ValueError, "no list of names"),
    "where": (lambda: ops.where(X > 0, 1.0), ValueError, "either both should be `None`"),
    "power": (lambda: ops.power(np.array([1, 2]), -1), TypeError, "negative power"),
    "pad-mode": (lambda: ops.pad(X, 1, mode="foo"), ValueError, "unknown mode 'foo'"),
    "pad-value": (lambda: ops.pad(X, 1, mode="edge", constant_values=1), ValueError, "can only be provided"),
    "fft-pair": (lambda: ops.fft(X), ValueError, "tuple of two tensors"),
    "fft-shapes": (lambda: ops.fft((X, X[0])), ValueError, "the same shape"),
    "fft2-rank": (lambda: ops.fft2((X[0], X[0])), ValueError, "rank >= 2"),
    "rfft-length": (lambda: ops.rfft(X, fft_length=0), ValueError, "positive"),
    "stft-dtype": (lambda: ops.stft(np.arange(9), 4, 2, 4), TypeError, "Expected `float32` or `float64`"),
    "stft-length": (lambda: ops.stft(WAVE, 4, 2, 3), ValueError, "equal or larger"),
    "stft-window": (lambda: ops.stft(WAVE, 4, 2, 4, window="x"), ValueError, "must be one of"),
    "stft-shape": (lambda: ops.stft(WAVE, 4, 2, 4, window=np.ones(3)), ValueError, "The shape of `window`"),
    "istft-rank": (lambda: ops.istft((WAVE, WAVE), 4, 2, 4), ValueError, "at least 2 dimensions"),
    "arange": (lambda: ops.arange(None), ValueError, "a number is needed"),
    "view-0d": (lambda: ops.view(np.float32(3), "int8"), ValueError, "0-d tensor"),
    "view-uneven": (lambda: ops.view(np.arange(3, dtype="int8"), "int16"), ValueError, "a multiple of 2"),
    "complex": (lambda: ops.view_as_complex(X), ValueError, "must be size 2"),
    "vectorize": (lambda: ops.vectorize(3), ValueError, "to be a callable"),
    "vectorize-signature": (lambda: ops.vectorize(abs, signature="n->n"), ValueError, "not a valid gufunc"),
    "vectorize-rank": (
        lambda: ops.vectorize(ops.sum, signature="(n)->()")(np.float32(1)),
        ValueError,
        "enough dimensions",
    ),
    "vectorize-extents": (
        lambda: ops.vectorize(lambda x, y: x, signature="(n),(n)->()")(X[0], X[0, :2]),
        ValueError,
        "inconsistent size",
    ),
    "histogram-rank": (lambda: ops.histogram(X), ValueError, "must be 1-dimensional"),
    "histogram-bins": (lambda: ops.histogram(WAVE, bins=-1), ValueError, "`bins`"),
    "inv": (lambda: ops.inv(X), ValueError, "square matrix"),
    "det": (lambda: ops.det(WAVE), ValueError, "rank >= 2"),
    "solve": (lambda: ops.solve(np.eye(3), np.ones(2)), ValueError, "Incompatible shapes"),
    "qr": (lambda: ops.qr(X, mode="raw"), ValueError, "`mode` argument"),
    "cholesky": (lambda: ops.cholesky(-np.eye(2)), ValueError, "positive definite"),
    "lstsq": (lambda: ops.lstsq(X, np.ones(3)), ValueError, "Leading dimensions"),
    "norm": (lambda: ops.norm(X, ord=5), ValueError, "for matrix norm"),
    "gcd": (lambda: ops.gcd(X, 2), TypeError, "must be integers"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, error, text = REFUSED[name]
    with pytest.raises(error, match=text):
        call()


def test_shapes_of_a_functional_model():
    x = keras.Input((None, 8))
    assert ops.rearrange(x, "a b (c d) -> a (b c) d", c=2).shape == (None, None, 4)
    y = keras.Input((20,))
    real, imaginary = ops.stft(y, 4, 2, 4)
    assert (real.shape, imaginary.shape) == ((None, 11, 3), (None, 11, 3))
    assert ops.extract_sequences(y, 6, 4).shape == (None, 4, 6)
    assert [part.shape for part in ops.svd(keras.Input((3, 4)))] == [(None, 3, 3), (None, 3), (None, 4, 4)]
    values, counts = ops.unique(y, size=5, return_counts=True)
    assert (values.shape, counts.dtype) == ((5,), "int32")
    with pytest.raises(NotImplementedError, match="cannot hold complex numbers"):
        ops.polar(y, y)


def test_a_spectrogram_of_an_unknown_length():
    """Frames are as many as the signal has at run time."""
    x = keras.Input((None,))
    model = keras.Model(x, ops.rfft(ops.extract_sequences(x, 8, 4)))
    for length in (8, 19, 32):
        wave = np.sin(np.arange(2 * length, dtype="float32")).reshape(2, length)
        for got, want in zip(model(wave), ops.rfft(ops.extract_sequences(wave, 8, 4)), strict=True):
            np.testing.assert_allclose(got, want, atol=1e-5)


def test_eigenvalues_of_any_matrix():
    x = np.array([[0.0, 1.0], [-1.0, 0.0]], "float32")
    values, vectors = ops.eig(x)
    assert values.dtype == vectors.dtype == np.complex64
    np.testing.assert_allclose(x @ vectors, vectors * values, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 17, 61, 96, 97, 210])
def test_transforms_of_any_number_of_points(n):
    """What a compiled program does, on arrays: products with small matrices."""
    from kcompile.ir.op import REGISTRY

    rng = np.random.default_rng(n)
    real, imaginary = rng.normal(size=(2, 3, n))
    want = np.fft.fft(real + 1j * imaginary)
    found = REGISTRY["dft"].rules["decompose"](real, imaginary, inverse=False)
    np.testing.assert_allclose(found[0], want.real, atol=1e-11 * n)
    np.testing.assert_allclose(found[1], want.imag, atol=1e-11 * n)
    again = REGISTRY["irdft"].rules["decompose"](*REGISTRY["rdft"].rules["decompose"](real), length=n)
    np.testing.assert_allclose(again, real, atol=1e-11 * n)
