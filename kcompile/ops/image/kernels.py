"""Interpolation: which input positions an output position reads, and with which weights.

Everything here is written with ops, so that it computes tables from known extents, and becomes part of a
program where an extent, a scale or a translation is known only at run time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from kcompile.core.symbolic import Int
from kcompile.ops import create, movement, reduce
from kcompile.ops import elementwise as ew

SMALL = 1000.0 * float(np.finfo(np.float32).eps)  # below it, weights do not say how to share


def _triangle(x: Any) -> Any:
    return ew.maximum(ew.subtract(1.0, x), 0.0)


def _keys_cubic(x: Any) -> Any:
    """The cubic kernel with a = -1/2. Source: R. Keys, IEEE Trans. ASSP 29 (1981)."""
    square, cube = ew.square(x), ew.multiply(ew.square(x), x)
    near = ew.add(ew.subtract(ew.multiply(cube, 1.5), ew.multiply(square, 2.5)), 1.0)
    far = ew.add(ew.subtract(ew.multiply(square, 2.5), ew.multiply(cube, 0.5)), 2.0)
    far = ew.subtract(far, ew.multiply(x, 4.0))
    return ew.where(ew.less(x, 1.0), near, ew.where(ew.less(x, 2.0), far, 0.0))


def _lanczos(radius: float) -> Callable[[Any], Any]:
    """sinc(x) sinc(x / radius) inside of the radius. Source: C. Lanczos; Duchon 1979."""

    def kernel(x: Any) -> Any:
        waves = ew.multiply(
            ew.sin(ew.multiply(x, math.pi)), ew.sin(ew.multiply(ew.true_divide(x, radius), math.pi))
        )
        area = ew.multiply(ew.square(ew.where(ew.greater(x, 1e-3), x, 1.0)), math.pi**2)
        inside = ew.where(ew.greater(x, 1e-3), ew.true_divide(ew.multiply(waves, radius), area), 1.0)
        return ew.where(ew.greater(x, radius), 0.0, inside)

    return kernel


# method -> (radius, weight at a distance)
KERNELS: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "bilinear": (1, _triangle),
    "bicubic": (2, _keys_cubic),
    "lanczos3": (3, _lanczos(3.0)),
    "lanczos5": (5, _lanczos(5.0)),
}


def samples(n: int | Int, inverse: Any, translation: Any, dtype: str) -> Any:
    """Where the centres of n output pixels lie among the input's: (n,) of `dtype`."""
    centre = ew.add(create.iota(n, dtype), 0.5)
    moved = ew.subtract(ew.multiply(centre, inverse), ew.multiply(translation, inverse))
    return ew.subtract(moved, 0.5)


def _shares(weights: Any, axis: int) -> Any:
    total = reduce.sum(weights, axis=axis, keepdims=True)
    safe = ew.where(ew.equal(total, 0.0), 1.0, total)
    return ew.where(ew.greater(ew.absolute(total), SMALL), ew.true_divide(weights, safe), 0.0)


def weight_matrix(
    m: int | Int, n: int | Int, inverse: Any, translation: Any, method: str, antialias: bool, dtype: str
) -> Any:
    """Weights (m, n): column o holds the shares that the m input positions have in output position o.

    Args:    inverse: input pixels per output pixel. antialias: a wider kernel where the image shrinks.
    """
    kernel = KERNELS[method][1]
    at = samples(n, inverse, translation, dtype)
    distance = ew.absolute(ew.subtract(at, movement.expand_dims(create.iota(m, dtype), -1)))
    if antialias:
        distance = ew.true_divide(distance, ew.maximum(inverse, 1.0))
    weights = _shares(kernel(distance), axis=0)
    last = ew.subtract(ew.as_tensor(m, dtype), 0.5)
    seen = ew.logical_and(ew.greater_equal(at, -0.5), ew.less_equal(at, last))
    return ew.where(seen, weights, 0.0)


def nearby(m: int | Int, n: int | Int, inverse: Any, method: str, dtype: str) -> tuple[Any, Any]:
    """The positions (n, k) that a kernel which is not widened reaches, and their weights."""
    radius, kernel = KERNELS[method]
    at = movement.expand_dims(samples(n, inverse, 0.0, dtype), -1)
    steps = np.arange(1 - radius, radius + 1)
    positions = ew.add(ew.floor(at), ew.as_tensor(steps, dtype))
    last = ew.subtract(ew.as_tensor(m, dtype), 1.0)
    inside = ew.logical_and(ew.greater_equal(positions, 0.0), ew.less_equal(positions, last))
    weights = ew.where(inside, kernel(ew.absolute(ew.subtract(at, positions))), 0.0)
    kept = ew.maximum(ew.minimum(positions, last), 0.0)
    return ew.cast(kept, "int32"), _shares(weights, axis=-1)


def nearest(m: int | Int, n: int | Int) -> Any:
    """The input position (n,) below the centre of each output pixel."""
    centre = ew.add(create.iota(n, "float32"), 0.5)
    scaled = ew.true_divide(ew.multiply(centre, ew.as_tensor(m, "float32")), ew.as_tensor(n, "float32"))
    return ew.cast(ew.floor(scaled), "int32")


def pixels_per_output(m: int | Int, n: int | Int, dtype: str) -> Any:
    """Input pixels for each output pixel of a resize from m to n, as the inverse of the rounded scale."""
    scale = ew.true_divide(ew.as_tensor(n, dtype), ew.as_tensor(m, dtype))
    return ew.true_divide(ew.as_tensor(1.0, dtype), scale)


@lru_cache(maxsize=128)
def matrix(m: int, n: int, method: str, antialias: bool, dtype: str) -> np.ndarray:
    """The weights (m, n) of a resize between known extents."""
    if method == "nearest":
        return np.eye(m, dtype=dtype)[:, nearest(m, n)]
    inverse = pixels_per_output(m, n, dtype)
    return weight_matrix(m, n, inverse, ew.as_tensor(0.0, dtype), method, antialias, dtype)


@lru_cache(maxsize=128)
def tables(
    m: int, n: int, method: str, antialias: bool, transposed: bool, dtype: str
) -> tuple[np.ndarray, np.ndarray]:
    """The matrix (its transpose) as the positions (o, k) with weights (o, k) that each output reads."""
    full = matrix(m, n, method, antialias, dtype)
    rows = full if transposed else full.T
    used = rows != 0
    k = max(1, int(used.sum(axis=1).max(initial=0)))
    order = np.argsort(~used, axis=1, kind="stable")[:, :k]
    weights = np.take_along_axis(rows, order, axis=1)
    return np.where(weights != 0, order, 0).astype(np.int32), weights


def weights_dtype(dtype: str) -> str:
    """float64 for float64; all others interpolate with float32 weights."""
    return "float64" if dtype == "float64" else "float32"
