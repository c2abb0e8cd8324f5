"""Short-time Fourier transforms: frames of a signal, their spectra, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ArgumentError, ShapeError, message
from kcompile.ops import arrange, create, cutting, fourier, joining, movement, padding, reduce
from kcompile.ops import elementwise as ew


def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """Overlapping frames of the last axis.

    Shapes:  x (..., n) -> (..., 1 + (n - sequence_length) // sequence_stride, sequence_length).

    >>> extract_sequences(np.arange(6), 3, 2).tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    x = ew.as_tensor(x)
    size, stride = x.shape[-1], int(sequence_stride)
    if stride < 1 or sequence_length < 1:
        raise ArgumentError(
            "extract_sequences: `sequence_length` and `sequence_stride` should be positive. Received: "
            f"sequence_length={sequence_length}, sequence_stride={sequence_stride}"
        )
    lead = tuple(x.shape[:-1])
    if isinstance(size, int) and size < sequence_length:
        return create.zeros((*lead, 0, sequence_length), dtypes.standardize(x.dtype))
    frames = (size - sequence_length) // stride + 1
    pieces = -(-sequence_length // stride)  # a frame is so many strides long
    x = fourier.fitted(x, (frames - 1 + pieces) * stride)
    x = movement.reshape(x, (*lead, frames - 1 + pieces, stride))
    parts = [arrange.part(x, -2, k, frames) for k in range(pieces)]
    y = joining.concatenate(parts, axis=-1) if pieces > 1 else parts[0]
    return arrange.part(y, -1, 0, sequence_length)


def overlap_add(frames: Any, stride: int) -> Any:
    """Frames (..., m, length) laid at distances of `stride` and summed: (..., (m - 1) stride + length)."""
    *lead, count, length = frames.shape
    pieces = -(-length // stride)
    padded = fourier.fitted(frames, pieces * stride)
    padded = movement.reshape(padded, (*lead, count, pieces, stride))
    total: Any = None
    for k in range(pieces):
        part = movement.squeeze(arrange.part(padded, -2, k, 1), -2)
        around = [(0, 0)] * len(lead) + [(k, pieces - 1 - k), (0, 0)]
        part = cutting.pad(part, around)
        total = part if total is None else ew.add(total, part)
    flat = movement.reshape(total, (*lead, (count + pieces - 1) * stride))
    return arrange.part(flat, -1, 0, (count - 1) * stride + length)


def _window(window: Any, sequence_length: int, fft_length: int, dtype: str) -> Any:
    """The window in the middle of `fft_length` zeros; ones without a window."""
    if window is None:
        return np.ones(fft_length, dtypes.numpy_dtype(dtype))
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ValueError(
                'If a string is passed to `window`, it must be one of `"hann"`, `"hamming"`. Received: '
                f"window={window}"
            )
        # Periodic windows: the first period of those with one more point.
        make = np.hanning if window == "hann" else np.hamming
        window = make(sequence_length + 1)[:-1] if sequence_length > 1 else np.ones(sequence_length)
    window = ew.as_tensor(window, dtype)
    if len(window.shape) != 1 or window.shape[0] != sequence_length:
        raise ValueError(
            "The shape of `window` must be equal to [sequence_length]. Received: window shape="
            f"{tuple(window.shape)}"
        )
    before = (fft_length - sequence_length) // 2
    return cutting.pad(window, [(before, fft_length - sequence_length - before)])


def stft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: Any = "hann",
    center: bool = True,
) -> tuple[Any, Any]:
    """Spectra of the overlapping frames of a signal.

    Shapes:  x (..., n) -> a pair (real, imaginary) of (..., frames, fft_length // 2 + 1).
    Args:    fft_length: of a frame, at least `sequence_length`, the length of the window. window: "hann",
             "hamming", a tensor (sequence_length,) or None. center: x is padded by reflection, so that
             frame k is about x[k sequence_stride].
    Raises:  TypeError unless x is float32 or float64; ValueError for other bad arguments.

    >>> [part.shape for part in stft(np.ones((2, 20), "float32"), 8, 4, 8)]
    [(2, 6, 5), (2, 6, 5)]
    """
    x = ew.as_tensor(x)
    dtype = dtypes.standardize(x.dtype)
    if dtype not in ("float32", "float64"):
        raise TypeError(f"Invalid input type. Expected `float32` or `float64`. Received: input type={dtype}")
    if fft_length < sequence_length:
        raise ValueError(
            "`fft_length` must equal or larger than `sequence_length`. Received: sequence_length="
            f"{sequence_length}, fft_length={fft_length}"
        )
    weights = _window(window, sequence_length, fft_length, dtype)
    if center:
        half = fft_length // 2
        x = padding.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(half, half)], mode="reflect")
    frames = extract_sequences(x, fft_length, sequence_stride)
    return fourier.rfft(ew.multiply(frames, weights))


def istft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Any:
    """The signal of which the pair x is `stft` with the same arguments.

    Shapes:  x: a pair of (..., frames, fft_length // 2 + 1) -> (..., n).
    Args:    length: n; without it, as many numbers as the frames cover (without what `center` added).
    """
    real, imaginary = fourier.pair_of(x)
    if len(real.shape) < 2:
        raise ValueError(f"Input `x` must have at least 2 dimensions. Received shape: {tuple(real.shape)}")
    dtype = dtypes.standardize(real.dtype)
    weights = _window(window, sequence_length, fft_length, dtype)
    count = real.shape[-2]
    if not isinstance(count, int):
        raise ShapeError(message("istft: the number of frames must be known.", received=f"{real.shape}"))
    frames = fourier.irfft((real, imaginary), fft_length)
    signal = overlap_add(ew.multiply(frames, weights), sequence_stride)
    square = movement.broadcast_to(ew.square(weights), (count, fft_length))
    norm = overlap_add(square, sequence_stride)
    signal = ew.true_divide(signal, ew.where(ew.greater(norm, 1e-10), norm, 1.0))
    if window is None:
        signal = ew.multiply(signal, ew.true_divide(reduce.sum(weights), float(sequence_stride)))
    total = fft_length + sequence_stride * (count - 1)
    start = fft_length // 2 if center else 0
    end = start + length if length is not None else total - fft_length // 2 if center else total
    return arrange.part(signal, -1, start, min(end, total) - start)
