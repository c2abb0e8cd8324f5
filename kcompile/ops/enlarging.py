"""Images enlarged a whole number of times, with interpolation.

Output q f + p lies (p + 1/2) / f - 1/2 pixels from the centre of pixel q, whatever q is. So each of the f
phases is a weighted sum of moved images, one fused loop, and unknown extents are no obstacle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import cutting, joining, movement
from kcompile.ops import elementwise as ew


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - x)


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys 1981, with a = -1/2."""
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x >= 2, 0, np.where(x >= 1, far, near))


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(x >= radius, 0, np.sinc(x) * np.sinc(x / radius))


KERNELS: dict[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {  # radius, weight at a distance
    "bilinear": (1, _triangle),
    "bicubic": (2, _cubic),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
}


def _phases(times: int, method: str) -> np.ndarray:
    """The weights (2 radius + 1, times) of the pixels around, for each phase."""
    radius, weight = KERNELS[method]
    offset = (np.arange(times) + 0.5) / times - 0.5
    return weight(np.abs(offset[None] - np.arange(-radius, radius + 1)[:, None]))


def enlarge(x: Any, times: tuple[int, int], method: str) -> Any:
    """Images (n, h, w, c) -> (n, h times[0], w times[1], c); method: a key of KERNELS.

    Pixels outside do not count: what is left of the weights is scaled to the sum 1, as Keras does.
    """
    for axis, factor in enumerate(times, 1):
        if factor > 1:
            x = enlarge_op(x, axis=axis, times=factor, method=method)
    return x


enlarge_op = Op("enlarge")


@enlarge_op.infer
def _enlarge_infer(x: TensorType, *, axis: int, times: int, method: str) -> TensorType:
    return TensorType((*x.shape[:axis], x.shape[axis] * times, *x.shape[axis + 1 :]), x.dtype)


@enlarge_op.reference
def _enlarge_reference(x: np.ndarray, *, axis: int, times: int, method: str) -> np.ndarray:
    y = np.moveaxis(x, axis, -1) @ _matrix(x.shape[axis], times, method).astype(x.dtype)
    return np.moveaxis(y, -1, axis)


def _matrix(extent: int, times: int, method: str) -> np.ndarray:
    """The weights (extent, extent times) of all pixels for all pixels of the result."""
    centres = (np.arange(extent * times) + 0.5) / times - 0.5
    weights = KERNELS[method][1](np.abs(centres[None] - np.arange(extent)[:, None]))
    return weights / weights.sum(axis=0)


@enlarge_op.decompose
def _enlarge_decompose(x: Any, *, axis: int, times: int, method: str) -> Any:
    """The phases along `axis`, interleaved."""
    dtype = dtypes.numpy_dtype(dtypes.standardize(x.dtype))
    extent, weights = x.shape[axis], _phases(times, method)
    ones = movement.broadcast_to(np.ones((1, 1, 1, 1)), tuple(extent if k == axis else 1 for k in range(4)))
    totals = [ew.cast(ew.true_divide(1.0, _weighed(ones, axis, w)), dtype.name) for w in weights.T]
    phases = [
        ew.multiply(_weighed(x, axis, w), total)
        for w, total in zip(weights.T.astype(dtype), totals, strict=True)
    ]
    y = joining.stack(phases, axis=axis + 1)
    return movement.reshape(y, (*x.shape[:axis], extent * times, *x.shape[axis + 1 :]))


@enlarge_op.onnx
def _enlarge_onnx(g: Any, x: str, *, axis: int, times: int, method: str) -> str | None:
    extent, rank = g.shape(x)[axis], len(g.shape(x))
    if method == "bilinear" and g.dtype(x) == "float32":
        scales = g.constant(np.array([times if k == axis else 1 for k in range(rank)], "float32"))
        return str(g.node("Resize", x, "", scales, mode="linear"))
    if not isinstance(extent, int):
        return None
    letters = "abcdefgh"[:rank]
    equation = f"{letters},{letters[axis]}z->{letters.replace(letters[axis], 'z')}"
    weights = _matrix(extent, times, method).astype(dtypes.numpy_dtype(g.dtype(x)))
    return str(g.node("Einsum", x, g.constant(weights), equation=equation))


@enlarge_op.samples
def _enlarge_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for method in KERNELS:
        x = rng.normal(size=(2, 3, 4, 2)).astype("float32")
        yield Sample((x,), {"axis": 1, "times": 2, "method": method}, method)
    yield Sample((x,), {"axis": 2, "times": 3, "method": "bilinear"}, "columns")
    yield Sample((x[:, :, :1],), {"axis": 2, "times": 4, "method": "bicubic"}, "one")


def _weighed(x: Any, axis: int, weights: np.ndarray) -> Any:
    """The sum of x moved along `axis` by -radius ... radius pixels, each with its weight."""
    radius = len(weights) // 2
    around = tuple(radius if k == axis else 0 for k in range(4))
    inside = cutting.pad_op(x, before=around, after=around, inner=(0,) * 4, value=0.0)
    total = None
    for offset in np.flatnonzero(weights):
        start = tuple(int(offset) if k == axis else 0 for k in range(4))
        part = cutting.slice_op(inside, start=start, size=tuple(x.shape), step=(1,) * 4)
        term = ew.multiply(part, weights[offset])
        total = term if total is None else ew.add(total, term)
    return total
