"""Images resized by matrices for rows and columns: kernels that `ops.image.resize` has not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def area(size: int, new: int) -> np.ndarray:
    """Each new pixel is the mean of what it covers.

    >>> area(3, 2).round(2).tolist()
    [[0.67, 0.33, 0.0], [0.0, 0.33, 0.67]]
    """
    scale = size / new
    begin, end = (np.arange(new)[:, None] + k for k in (0, 1))
    places = np.arange(size)
    covered = np.minimum(end * scale, places + 1) - np.maximum(begin * scale, places)
    return np.maximum(covered, 0) / scale


def sampled(kernel: Callable[[np.ndarray], np.ndarray], size: int, new: int) -> np.ndarray:
    """Each new pixel is a mean of its neighbours, by their distance from its centre."""
    centre = (np.arange(new)[:, None] + 0.5) * (size / new)
    weights = kernel(np.abs(centre - (np.arange(size) + 0.5)))
    return weights / weights.sum(axis=1, keepdims=True)


def gaussian(x: np.ndarray) -> np.ndarray:
    """Of deviation 0.5, up to three deviations."""
    return np.where(x < 1.5, np.exp(-2.0 * x * x), 0.0)


def mitchellcubic(x: np.ndarray) -> np.ndarray:
    """Mitchell and Netravali, "Reconstruction filters in computer graphics", 1988, with B = C = 1/3."""
    inner = (7 * x**3 - 12 * x**2 + 16 / 3) / 6
    outer = (-7 / 3 * x**3 + 12 * x**2 - 20 * x + 32 / 3) / 6
    return np.where(x < 1, inner, np.where(x < 2, outer, 0.0))


WEIGHTS: dict[str, Callable[[int, int], np.ndarray]] = {
    "area": area,
    "gaussian": lambda size, new: sampled(gaussian, size, new),
    "mitchellcubic": lambda size, new: sampled(mitchellcubic, size, new),
}


def resized_by_weights(image: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """An image (h, w, c) as float32 (size[0], size[1], c)."""
    rows, columns = (WEIGHTS[interpolation](image.shape[k], size[k]) for k in (0, 1))
    found = np.einsum("ih,hwc,jw->ijc", rows, image.astype("float64"), columns, optimize=True)
    return found.astype("float32")
