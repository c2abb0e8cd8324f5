"""Fourier waves as the kernel of a convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.initializers.constant import Initializer
from kcompile.initializers.windows import window_of


class STFT(Initializer):
    """Kernels (T, 1, F // 2 + 1) of a short-time Fourier transform over T samples, with F frequencies.

    The kernel of frequency f at sample t is cos(2 pi t f / F), or -sin for the imaginary side, times a
    window.

    Args:    side: "real" or "imag". window: a name as in scipy.signal.windows, T numbers, or None. scaling:
             "density" divides by the window's root of squares, "spectrum" by its sum, None by nothing.
             periodic: the window is one period of a periodic function, instead of symmetric.
    Raises:  ValueError for other values, and for a window of another length.

    >>> STFT("real", window=None)((4, 1, 3)).round().astype(int)[:, 0].tolist()  # frequencies 0, 1 and 2
    [[1, 1, 1], [1, 0, -1], [1, -1, 1], [1, 0, -1]]
    """

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ):
        if side not in ("real", "imag"):
            raise ValueError(f"side should be 'real' or 'imag', not {side}")
        if isinstance(window, str):
            window_of(window, 1, periodic)
        if scaling not in (None, "density", "spectrum"):
            raise ValueError(
                f"Scaling is invalid, it must be `None`, 'density' or 'spectrum'. Received scaling={scaling}"
            )
        self.side, self.window, self.scaling, self.periodic = side, window, scaling, periodic

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        samples, _, frequencies = shape
        # multiples of a whole turn are taken off first: the angle keeps all its digits
        turns = np.outer(np.arange(samples), np.arange(frequencies)) % (2 * max(frequencies - 1, 1))
        angles = -np.pi * turns / max(frequencies - 1, 1)
        waves = np.cos(angles) if self.side == "real" else np.sin(angles)
        if self.window is not None:
            waves = waves * self._scaled_window(samples)[:, None]
        return waves[:, None, :].astype(dtypes.numpy_dtype(dtypes.standardize(dtype)))

    def _scaled_window(self, samples: int) -> np.ndarray:
        given = self.window
        window = (
            window_of(given, samples, self.periodic) if isinstance(given, str) else np.asarray(given, float)
        )
        if window.shape != (samples,):
            raise ValueError(
                "The shape of `window` must be equal to [frame_length]. Received: window "
                f"shape={window.shape}, frame_length={samples}"
            )
        if self.scaling == "density":
            return window / np.sqrt((window**2).sum())
        return window / np.abs(window).sum() if self.scaling == "spectrum" else window

    def get_config(self) -> dict[str, Any]:
        window = self.window.tolist() if isinstance(self.window, np.ndarray) else self.window
        own = {"side": self.side, "window": window}
        return {**own, "periodic": self.periodic, "scaling": self.scaling}
