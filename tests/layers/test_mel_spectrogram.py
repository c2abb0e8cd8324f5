"""MelSpectrogram beside Keras 3.15.1, eager and in a compiled model."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from tests.layers.mel_cases import CASES, SMALL, signal, summary

KERAS = [  # shape; mean, smallest, largest, first six numbers; made by mel_cases.py
    ((2, 6, 13), [-1.01232, -48.80697, 17.4095, 13.23768, 16.58831, 17.26381, 17.27034, 17.28094, 17.27654]),
    ((6, 13), [2.98348, -19.03741, 18.10328, 12.96603, 17.25963, 18.03978, 18.04823, 18.06162, 18.05618]),
    ((2, 6, 10), [7.50327, 5.64712, 15.64712, 10.02233, 15.03775, 15.29637, 15.18113, 15.0148, 15.1296]),
    ((2, 6, 10), [2.59921, 0.00441, 8.81569, 5.68635, 8.50459, 8.62443, 8.64806, 8.68662, 8.66938]),
    ((2, 6, 9), [10.01888, -7.11263, 19.92839, 18.42108, 18.60172, 18.58036, 19.46577, 19.92839, 19.45158]),
]
# Quiet bands are sums of squares near float32's rounding, in decibels: 1e-4 of 20 dB.
TOLERANCE = 1e-4


@pytest.mark.parametrize("case, wanted", list(zip(CASES, KERAS, strict=True)))
def test_like_keras(case, wanted):
    shape, options = case
    layer = layers.MelSpectrogram(**SMALL, **options)
    found = np.asarray(layer(signal(shape)))
    assert found.shape == wanted[0] == layer.compute_output_shape(shape)
    np.testing.assert_allclose(summary(found), wanted[1], rtol=1e-5, atol=TOLERANCE)


def test_compiled_equals_eager_for_other_batches():
    layer = layers.MelSpectrogram(**SMALL)
    model = keras.Sequential([keras.Input((100,)), layer])
    assert model.output_shape == (None, 6, 13)
    for n in (2, 5):
        x = signal((n, 100))
        np.testing.assert_allclose(np.asarray(model(x)), layer(x), rtol=1e-5, atol=TOLERANCE)


def test_config_round_trip():
    layer = layers.MelSpectrogram(**SMALL, max_freq=90.0, name="mel")
    again = layers.deserialize(layers.serialize(layer))
    assert again.get_config() == layer.get_config() and again.max_freq == 90.0
    x = signal((2, 64))
    np.testing.assert_array_equal(again(x), layer(x))


def test_bands_are_triangles():
    bands = layers.MelSpectrogram().linear_to_mel_weight_matrix(8, 257, 8000, 100.0, 3500.0)
    assert bands.shape == (257, 8) and bands.dtype == "float32" and not bands[0].any()
    peaks = bands.argmax(0)
    assert (np.diff(peaks) > 0).all() and (bands.max(0) > 0.8).all() and bands.max() <= 1
    for k, peak in enumerate(peaks):
        rising, falling = bands[: peak + 1, k], bands[peak:, k]
        assert (np.diff(rising) >= 0).all() and (np.diff(falling) <= 0).all()


def test_bad_lengths():
    with pytest.raises(ValueError, match="`fft_length` must be at least `sequence_length`"):
        layers.MelSpectrogram(fft_length=16, sequence_length=32)
