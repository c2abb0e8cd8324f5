"""Initializers, regularizers and constraints: configs, and numbers where none are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

WINDOWS = [
    *("hann", "hamming", "blackman", "blackmanharris", "nuttall", "flattop", "boxcar", "bartlett", "triang"),
    *("parzen", "bohman", "barthann", "cosine", "exponential", "tukey", "lanczos", "taylor", "blk", "rect"),
    *("poisson", "hann_periodic"),
]

INITIALIZERS: list[tuple[str, dict[str, Any]]] = [
    ("Zeros", {}),
    ("Ones", {}),
    ("Constant", {"value": 0.3}),
    ("Identity", {"gain": 2.0}),
    ("RandomNormal", {"mean": 0.1, "stddev": 0.2, "seed": 3}),
    ("RandomUniform", {"minval": -1.0, "maxval": 2.0}),
    ("TruncatedNormal", {"mean": -0.1, "stddev": 0.3, "seed": 4}),
    ("VarianceScaling", {"scale": 0.5, "mode": "fan_out", "distribution": "uniform"}),
    (
        "VarianceScaling",
        {"mode": "fan_avg", "distribution": "normal", "input_axes": 0, "output_axes": (1, 2)},
    ),
    *((name, {"seed": 5}) for name in ("GlorotUniform", "GlorotNormal", "LecunNormal", "LecunUniform")),
    *((name, {"input_axes": (0,), "output_axes": 1}) for name in ("HeNormal", "HeUniform")),
    ("Orthogonal", {"gain": 0.5, "seed": 2}),
    ("STFT", {}),
    ("STFT", {"side": "imag", "window": None, "scaling": None}),
    ("STFT", {"window": [0.1, 0.5, 1.0, 0.7, 0.2, 0.3], "scaling": "spectrum"}),
    *(("STFT", {"window": name, "periodic": k % 2 == 0, "scaling": None}) for k, name in enumerate(WINDOWS)),
    *(
        ("STFT", {"window": name, "side": "imag", "scaling": "spectrum"})
        for name in ("hann", "parzen", "triang")
    ),
]
SHAPES = {"STFT": [(6, 1, 4), (6, 1, 2)], "Identity": [(3, 4), (4, 2)]}
DRAWN = (
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "GlorotUniform",
    "GlorotNormal",
)
DRAWN += ("LecunNormal", "LecunUniform", "HeNormal", "HeUniform", "Orthogonal")

REGULARIZERS: list[tuple[str, dict[str, Any]]] = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {"l2": 0.2}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("OrthogonalRegularizer", {"factor": 0.1}),
    ("OrthogonalRegularizer", {"factor": 0.2, "mode": "columns"}),
]
CONSTRAINTS: list[tuple[str, dict[str, Any]]] = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.5, "axis": 1}),
    ("MaxNorm", {"max_value": 1.5, "axis": [0, 1]}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": -1}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 0.8, "max_value": 1.2, "rate": 0.4, "axis": 1}),
]


def shapes(kind: str) -> list[tuple[int, ...]]:
    return [] if kind in DRAWN else SHAPES.get(kind, [(2, 3), (4,), ()])


def weights() -> list[np.ndarray]:
    """Matrices, one with a row and a column of zeros."""
    rng = np.random.default_rng(51)
    first, second = (rng.normal(size=s).astype("float32") for s in ((3, 4), (5, 2)))
    second[2] = 0
    return [first, second]
