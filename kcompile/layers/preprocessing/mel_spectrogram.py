"""MelSpectrogram: how loud a signal is, over time and over bands of pitch."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import ops
from kcompile.layers.preprocessing.data_layer import DataLayer


class MelSpectrogram(DataLayer):
    """Power of a signal in `num_mel_bins` bands of equal width on the mel scale, in decibels.

    Shapes:  (samples,) -> (num_mel_bins, frames); (n, samples) -> (n, num_mel_bins, frames).
    Args:    fft_length: samples of a transform. sequence_stride: samples from one frame to the next.
             sequence_length: samples of a frame, `fft_length` unless given. window: "hann", "hamming" or
             None. sampling_rate: samples a second. min_freq, max_freq: edges of the bands in hertz, by
             default up to half of the sampling rate. power_to_db: 10 log10(power / ref_power), with powers
             of at least `min_power`, and nothing more than `top_db` below the loudest. mag_exp: exponent of
             the magnitudes, 1 or 2 (power).
    Raises:  ValueError if `fft_length` is below `sequence_length`.
    Source:  mel(f) = 2595 log10(1 + f / 700) (O'Shaughnessy, 1987); triangles of height 1, as in HTK.

    >>> MelSpectrogram(64, 16, num_mel_bins=8, sampling_rate=800)(np.ones((2, 100), "float32")).shape
    (2, 8, 7)
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.fft_length, self.sequence_stride, self.window = fft_length, sequence_stride, window
        self.sequence_length = sequence_length or fft_length
        if fft_length < self.sequence_length:
            raise ValueError(
                "MelSpectrogram: `fft_length` must be at least `sequence_length`. Received: sequence_length="
                f"{self.sequence_length}, fft_length={fft_length}"
            )
        self.sampling_rate, self.num_mel_bins = sampling_rate, num_mel_bins
        self.min_freq, self.max_freq = min_freq, max_freq or int(sampling_rate / 2)
        self.power_to_db, self.top_db, self.mag_exp = power_to_db, top_db, mag_exp
        self.min_power, self.ref_power = min_power, ref_power

    def call(self, inputs: Any) -> Any:
        kind = self.compute_dtype if self.compute_dtype == "float64" else "float32"
        real, imaginary = ops.stft(
            ops.cast(inputs, kind),
            self.sequence_length,
            self.sequence_stride,
            self.fft_length,
            window=self.window,
        )
        power = ops.square(real) + ops.square(imaginary)
        magnitude = power if self.mag_exp == 2 else ops.power(ops.sqrt(power), self.mag_exp)
        bands = self.linear_to_mel_weight_matrix(
            self.num_mel_bins, real.shape[-1], self.sampling_rate, self.min_freq, self.max_freq, kind
        )
        loudness = ops.matmul(magnitude, bands)
        if self.power_to_db:
            loudness = self._decibels(loudness)
        return ops.cast(ops.swapaxes(loudness, -1, -2), self.compute_dtype)

    def _decibels(self, power: Any) -> Any:
        floor = self.min_power
        reference = 10 * float(np.log10(max(abs(self.ref_power), floor)))
        found = 10.0 * ops.log10(ops.maximum(power, floor)) - reference
        return ops.maximum(found, ops.max(found) - self.top_db)

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: float = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: float = 3800.0,
        dtype: str = "float32",
    ) -> np.ndarray:
        """(num_spectrogram_bins, num_mel_bins): how much each frequency from 0 on counts in each band.

        A band rises from the middle of the one before it to 1 and falls to the middle of the next, linearly
        in mel; the constant part of the signal is in none.
        """
        pitches = _mel(np.linspace(0, sampling_rate / 2, num_spectrogram_bins))[:, None]
        edges = np.linspace(_mel(lower_edge_hertz), _mel(upper_edge_hertz), num_mel_bins + 2)
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        rising, falling = (pitches - low) / (middle - low), (high - pitches) / (high - middle)
        bands = np.maximum(0, np.minimum(rising, falling))
        bands[0] = 0
        return np.asarray(bands, dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        *batch, samples = input_shape
        frames = None if samples is None else (samples + self.sequence_stride + 1) // self.sequence_stride
        return (*batch, self.num_mel_bins, frames)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fft_length": self.fft_length,
            "sequence_stride": self.sequence_stride,
            "sequence_length": self.sequence_length,
            "window": self.window,
            "sampling_rate": self.sampling_rate,
            "num_mel_bins": self.num_mel_bins,
            "min_freq": self.min_freq,
            "max_freq": self.max_freq,
            "power_to_db": self.power_to_db,
            "top_db": self.top_db,
            "mag_exp": self.mag_exp,
            "min_power": self.min_power,
            "ref_power": self.ref_power,
        }


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log(1.0 + np.asarray(hertz, "float64") / 700.0)
