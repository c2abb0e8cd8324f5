"""STFTSpectrogram: short-time Fourier transforms as convolutions with waves, which may be trained."""

from __future__ import annotations

import math
import warnings
from typing import Any

from kcompile import ops
from kcompile.core import config
from kcompile.core.callers import users_level
from kcompile.core.dtypes import standardize
from kcompile.initializers import STFT
from kcompile.initializers.windows import window_of
from kcompile.layers.arguments import data_format_name
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.layer import Layer

MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


class STFTSpectrogram(Layer):
    """The spectrum of each frame of a signal, for each channel alone.

    Shapes:  channels_last: (n, samples, c) -> (n, frames, c * bins), with expand_dims (n, frames, bins, c);
             channels_first: (n, c, samples) -> (n, c * bins, frames), with expand_dims (n, c, frames, bins).
             bins = fft_length // 2 + 1, twice as many for "stft". Kernels (frame_length, 1, bins).
    Args:    mode: "log" or "magnitude" of the spectrum, "psd" (power, that of both halves of the spectrum),
             "real" or "imag" part, "angle", or "stft" (real beside imaginary part). frame_step: samples from
             one frame to the next, by default half of `frame_length`. fft_length: by default the least power
             of 2 that holds a frame. window, periodic, scaling: as `initializers.STFT` takes them.
             padding: "valid" or "same".
    Raises:  ValueError for other arguments; TypeError for inputs that are not float16, float32 or float64.

    >>> import numpy as np
    >>> STFTSpectrogram(frame_length=16, expand_dims=True)(np.ones((3, 100, 2), "float32")).shape
    (3, 11, 9, 2)
    """

    real_kernel: Any
    imag_kernel: Any

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        _check_frames(frame_length, frame_step, fft_length)
        if mode not in MODES:
            raise ValueError(
                f"Output mode is invalid, it must be one of {', '.join(MODES)}. Received: mode={mode}"
            )
        if scaling is not None and scaling not in ("density", "spectrum"):
            raise ValueError(
                f"Scaling is invalid, it must be `None`, 'density' or 'spectrum'. Received scaling={scaling}"
            )
        if padding not in ("valid", "same"):
            raise ValueError(f"Padding is invalid, it should be 'valid', 'same'. Received: padding={padding}")
        if isinstance(window, str):
            window_of(window, 1, periodic)
        super().__init__(**kwargs)
        self.mode, self.window, self.periodic, self.scaling = mode, window, periodic, scaling
        self.frame_length, self.frame_step, self.fft_length = frame_length, frame_step, fft_length
        self.padding, self.expand_dims = padding, expand_dims
        self.data_format = data_format_name(data_format)
        self.input_spec = InputSpec(ndim=3)

    @property
    def _step(self) -> int:
        return self.frame_step or self.frame_length // 2

    @property
    def _bins(self) -> int:
        return (self.fft_length or 2 ** math.ceil(math.log2(self.frame_length))) // 2 + 1

    def build(self, input_shape: Any) -> None:
        shape = (self.frame_length, 1, self._bins)
        for side in ("real", "imag"):
            if self.mode in ("real", "imag") and self.mode != side:
                continue
            start = STFT(side, self.window, self.scaling, self.periodic)
            setattr(
                self, f"{side}_kernel", self.add_weight(shape=shape, initializer=start, name=f"{side}_kernel")
            )

    def call(self, inputs: Any) -> Any:
        if standardize(inputs.dtype) not in ("float16", "float32", "float64"):
            raise TypeError(
                "Invalid input type. Expected `float16`, `float32` or `float64`. Received: input "
                f"type={inputs.dtype}"
            )
        if self.mode in ("real", "imag"):
            return self._arranged(self._waves(inputs, getattr(self, f"{self.mode}_kernel")))
        real, imag = (self._waves(inputs, kernel) for kernel in (self.real_kernel, self.imag_kernel))
        if self.mode == "angle":
            return self._arranged(ops.arctan2(imag, real))
        if self.mode == "stft":
            return self._arranged(ops.concatenate([real, imag], axis=-1))
        power = ops.square(real) + ops.square(imag)
        if self.mode == "psd":  # all frequencies but the first and the last stand for their mirrored ones too
            mirrored = ops.pad(power[..., 1:-1], ((0, 0), (0, 0), (0, 0), (1, 1)))
            return self._arranged(power + mirrored)
        magnitude = ops.sqrt(ops.maximum(power, config.epsilon()))
        if self.mode == "log":
            magnitude = ops.log(ops.maximum(magnitude, config.epsilon()))
        return self._arranged(magnitude)

    def _waves(self, inputs: Any, kernel: Any) -> Any:
        """(n, c, frames, bins): how much of each wave is in each frame."""
        x = ops.transpose(inputs, (0, 2, 1)) if self.data_format == "channels_last" else inputs
        channels, samples = x.shape[1:]
        x = ops.reshape(x, (-1, samples, 1))
        y = ops.conv(x, ops.cast(kernel, x.dtype), self._step, self.padding, "channels_last")
        return ops.reshape(y, (-1, channels, *y.shape[1:]))

    def _arranged(self, spectra: Any) -> Any:
        """(n, c, frames, bins) as the arguments of the layer say."""
        channels, frames, bins = spectra.shape[1:]
        if self.data_format == "channels_last":
            if self.expand_dims:
                return ops.transpose(spectra, (0, 2, 3, 1))
            return ops.reshape(ops.transpose(spectra, (0, 2, 1, 3)), (-1, frames, channels * bins))
        if self.expand_dims:
            return spectra
        return ops.reshape(ops.transpose(spectra, (0, 1, 3, 2)), (-1, channels * bins, frames))

    def compute_output_shape(self, input_shape: Any) -> Any:
        last = self.data_format == "channels_last"
        n, samples, channels = input_shape if last else (input_shape[0], input_shape[2], input_shape[1])
        frames = None if samples is None else self._frames(samples)
        bins = self._bins * (2 if self.mode == "stft" else 1)
        if self.expand_dims:
            return (n, frames, bins, channels) if last else (n, channels, frames, bins)
        joined = None if channels is None else channels * bins
        return (n, frames, joined) if last else (n, joined, frames)

    def _frames(self, samples: int) -> int:
        whole = samples if self.padding == "same" else samples - self.frame_length + 1
        if whole <= 0:
            raise ValueError(
                f"Layer '{self.name}': a signal of {samples} samples is shorter than a frame. Received "
                f"frame_length={self.frame_length}, padding={self.padding}"
            )
        return -(-whole // self._step)

    def get_config(self) -> dict[str, Any]:
        names = (
            *("mode", "frame_length", "frame_step", "fft_length", "window", "periodic", "scaling"),
            *("padding", "data_format", "expand_dims"),
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _check_frames(frame_length: int, frame_step: int | None, fft_length: int | None) -> None:
    if frame_length < 1:
        raise ValueError(f"`frame_length` should be a positive integer. Received frame_length={frame_length}")
    if frame_step is not None and not 1 <= frame_step <= frame_length:
        raise ValueError(
            "`frame_step` should be a positive integer not greater than `frame_length`. Received "
            f"frame_step={frame_step}, frame_length={frame_length}"
        )
    if fft_length is None:
        return
    if fft_length < frame_length:
        raise ValueError(
            f"`fft_length` should be not less than `frame_length`. Received fft_length={fft_length}, "
            f"frame_length={frame_length}"
        )
    if fft_length & -fft_length != fft_length:
        warnings.warn(
            f"`fft_length` is recommended to be a power of two. Received fft_length={fft_length}",
            stacklevel=users_level(),
        )
