"""Weights and data of the programs: the same numbers wherever they run."""

from __future__ import annotations

from typing import Any

import numpy as np


def data(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def labels(count: int, classes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed + 100).integers(0, classes, count)


def filled(model: Any, seed: int = 7) -> Any:
    """The model (or layer), with weights that do not depend on anybody's random numbers."""
    rng = np.random.default_rng(seed)
    weights = []
    for variable, w in zip(model.weights, model.get_weights(), strict=True):
        value = rng.normal(size=w.shape) * 0.4 / max(1, len(w) if w.ndim else 1) ** 0.5
        value = abs(value) + 0.5 if "variance" in variable.name else value
        weights.append(w if w.dtype.kind in "iu" else value)
    model.set_weights(weights)
    return model


def total(*values: Any) -> list[float]:
    """Sums of absolute values: as good as all of them, and short."""
    return [float(np.sum(np.abs(np.asarray(value, "float64")))) for value in values]


def weights_of(model: Any) -> list[float]:
    return total(*model.get_weights())


def rounded(history: dict[str, list[Any]]) -> dict[str, list[float]]:
    return {key: [float(v) for v in values] for key, values in history.items()}
