"""Configurations of MelSpectrogram, and what Keras says about them.

KERAS_BACKEND=jax python tests/layers/mel_cases.py     prints `KERAS` anew
"""

from __future__ import annotations

from typing import Any

import numpy as np

SMALL = {"fft_length": 32, "sequence_stride": 8, "num_mel_bins": 6, "sampling_rate": 400, "min_freq": 5.0}
CASES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 100), {}),
    ((100,), {"max_freq": 150.0}),
    ((2, 77), {"sequence_length": 20, "window": "hamming", "top_db": 10.0}),
    ((2, 77), {"power_to_db": False, "mag_exp": 1.0}),
    ((2, 64), {"window": None, "ref_power": 0.5, "min_power": 0.01, "mag_exp": 1.5}),
]


def signal(shape: tuple[int, ...]) -> np.ndarray:
    t = np.arange(np.prod(shape)).reshape(shape)
    return (np.sin(0.3 * t) + 0.5 * np.sin(1.7 * t + 1) * np.cos(0.05 * t)).astype("float32")


def summary(y: np.ndarray) -> list[float]:
    y = np.asarray(y, "float64")
    return [round(float(v), 5) for v in (y.mean(), y.min(), y.max(), *y.ravel()[:6])]


def main() -> None:
    import keras

    for shape, options in CASES:
        y = keras.layers.MelSpectrogram(**SMALL, **options)(signal(shape))
        print(f"    ({tuple(y.shape)}, {summary(np.asarray(y))}),")


if __name__ == "__main__":
    main()
