"""Winograd's F(4x4, 3x3): the emitted transforms against NumPy, the algorithm against plain convolution."""

import numpy as np
import pytest

from kcompile.kernels import native
from kcompile.kernels.host import host
from kcompile.kernels.winograd import MATRICES, reference, transform


def emitted(name, x):
    """The emitted transform of x (n, n, tiles, channels), read from and written to arrays with gaps."""
    library = native.load(transform.build(name, host()))
    m, n = MATRICES[name].shape
    tiles, channels = x.shape[2:]
    source = np.full((n, n, tiles, channels + 3), np.nan, "f4")
    source[..., :channels] = x
    target = np.full((m, m, tiles, channels + 2), 7, "f4")
    function = library.function(transform.symbol(name, host()), 10)
    function(
        channels, tiles, source.ctypes.data, *source.strides[:3], target.ctypes.data, *target.strides[:3]
    )
    assert (target[..., channels:] == 7).all(), "wrote beside its channels"
    return target[..., :channels]


@pytest.mark.parametrize("channels", [1, 3, 4, 6, 16, 40])
@pytest.mark.parametrize("name", MATRICES)
def test_transform_matches_numpy(name, channels):
    n = MATRICES[name].shape[1]
    x = np.random.default_rng(0).normal(size=(n, n, 3, channels)).astype("f4")
    want = reference(name, x)
    matrix = abs(MATRICES[name])
    magnitude = np.einsum("ai,bj,ij...->ab...", matrix, matrix, abs(x.astype("f8")))
    # At most 12 roundings lie on the way of a term.
    assert (abs(emitted(name, x) - want) <= 12 * np.finfo("f4").eps * magnitude).all()


@pytest.mark.parametrize("name", MATRICES)
def test_no_tiles_write_nothing(name):
    n = MATRICES[name].shape[1]
    assert emitted(name, np.zeros((n, n, 0, 16), "f4")).size == 0


def tiles_of(image, size):
    """Squares of an image (h, w, c), 4 pixels apart: (size, size, tiles, c)."""
    rows, columns = ((extent - size) // 4 + 1 for extent in image.shape[:2])
    squares = [image[4 * r : 4 * r + size, 4 * c : 4 * c + size] for r in range(rows) for c in range(columns)]
    return np.stack(squares, 2)


def convolve(x, w):
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (0, 1))
    return np.einsum("hwcij,ijcf->hwf", windows, w)


def test_transforms_make_a_convolution_and_its_weight_gradient():
    rng = np.random.default_rng(0)
    x, w, dy = (rng.normal(size=shape) for shape in [(10, 14, 5), (3, 3, 5, 6), (8, 12, 6)])
    points = reference("input", tiles_of(x, 6))
    weights = reference("filter", w)
    y = reference("output", np.einsum("abtc,abcf->abtf", points, weights))
    np.testing.assert_allclose(y, tiles_of(convolve(x, w), 4), rtol=0, atol=1e-12)

    products = np.einsum("abtc,abtf->abcf", points, reference("output_gradient", tiles_of(dy, 4)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (0, 1))
    want = np.einsum("hwcij,hwf->ijcf", windows, dy)
    np.testing.assert_allclose(reference("filter_gradient", products), want, rtol=0, atol=1e-11)


def test_error_of_a_convolution_in_float32_stays_small():
    """With the emitted transforms: at most 2e-5 of the output's deviation, as measured for this algorithm."""
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(26, 26, 32)).astype("f4"), rng.normal(size=(3, 3, 32, 64)).astype("f4")
    weights = emitted("filter", w)
    points = emitted("input", tiles_of(x, 6))
    y = emitted("output", np.einsum("abtc,abcf->abtf", points, weights))
    want = tiles_of(convolve(x.astype("f8"), w.astype("f8")), 4)
    assert abs(y - want).max() < 3e-5 * want.std()
    assert np.sqrt(((y - want) ** 2).mean()) < 3e-6 * want.std()
