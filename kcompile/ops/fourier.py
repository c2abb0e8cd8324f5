"""Discrete Fourier transforms. A complex tensor is a pair (real, imaginary) of tensors.

In a compiled program a transform of n points is a product with a matrix where n is small or prime; otherwise
n = n1 n2, and it is n2 transforms of n1 points, a rotation of each number, and n1 transforms of n2 points
(Cooley and Tukey 1965).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ArgumentError, ShapeError, message
from kcompile.core.symbolic import product
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import arrange, cutting, joining, movement, products, subscript
from kcompile.ops import elementwise as ew
from kcompile.ops.composite import floating

DIRECT = 64  # up to so many points one product with a matrix

dft_op = Op("dft", outputs=2)
rdft_op = Op("rdft", outputs=2)
irdft_op = Op("irdft")


# --- decompositions: (rows, points, 2), real and imaginary parts side by side -------------------------------


def _rotations(n: int, exponents: np.ndarray, sign: int) -> np.ndarray:
    """exp(sign 2 pi i k / n) for whole numbers k."""
    return np.exp(sign * 2j * np.pi * (exponents % n) / n)


def _matrix(weights: np.ndarray, dtype: str) -> np.ndarray:
    """The real matrix (2 inputs, 2 outputs) of a complex one that is multiplied from the right."""
    parts = np.stack(
        [np.stack([weights.real, weights.imag], -1), np.stack([-weights.imag, weights.real], -1)], axis=1
    )
    return parts.reshape(2 * weights.shape[0], 2 * weights.shape[1]).astype(dtypes.numpy_dtype(dtype))


def _transform(x: Any, n: int, sign: int) -> Any:
    """The transform of x (rows, n, 2) over its points."""
    rows, dtype = x.shape[0], dtypes.standardize(x.dtype)
    first = max((d for d in range(2, math.isqrt(n) + 1) if n % d == 0), default=1)
    if n <= DIRECT or first == 1:
        weights = _rotations(n, np.outer(np.arange(n), np.arange(n)), sign)
        y = products.matmul(movement.reshape(x, (rows, 2 * n)), _matrix(weights, dtype))
        return movement.reshape(y, (rows, n, 2))
    second = n // first
    x = movement.transpose(movement.reshape(x, (rows, first, second, 2)), (0, 2, 1, 3))
    x = _transform(movement.reshape(x, (rows * second, first, 2)), first, sign)
    turns = _rotations(n, np.outer(np.arange(second), np.arange(first)), sign)
    x = _rotated(movement.reshape(x, (rows, second, first, 2)), turns)
    x = movement.reshape(movement.transpose(x, (0, 2, 1, 3)), (rows * first, second, 2))
    y = movement.reshape(_transform(x, second, sign), (rows, first, second, 2))
    return movement.reshape(movement.transpose(y, (0, 2, 1, 3)), (rows, n, 2))


def _rotated(x: Any, turns: np.ndarray) -> Any:
    dtype = dtypes.standardize(x.dtype)
    cos, sin = (ew.as_tensor(part, dtype) for part in (turns.real, turns.imag))
    real, imaginary = _parts(x)
    return joining.stack(
        [
            ew.subtract(ew.multiply(real, cos), ew.multiply(imaginary, sin)),
            ew.add(ew.multiply(real, sin), ew.multiply(imaginary, cos)),
        ],
        axis=-1,
    )


def _parts(x: Any) -> tuple[Any, Any]:
    return subscript.getitem(x, (..., 0)), subscript.getitem(x, (..., 1))


def _rows(*parts: Any) -> Any:
    """Tensors (..., n) as (rows, n, parts)."""
    shape = (product(parts[0].shape[:-1]), parts[0].shape[-1])
    return joining.stack([movement.reshape(p, shape) for p in parts], axis=-1)


# --- complex to complex -------------------------------------------------------------------------------------


@dft_op.infer
def _dft_infer(real: TensorType, imaginary: TensorType, *, inverse: bool) -> tuple[TensorType, TensorType]:
    if real.shape != imaginary.shape or not real.shape:
        raise ShapeError(
            message(
                "fft: the real and the imaginary part must have one shape, of one dimension or more.",
                received=f"{real!r} and {imaginary!r}",
            )
        )
    _known(real)
    return real, real


def _known(x: TensorType) -> int:
    if not isinstance(x.shape[-1], int):
        raise ShapeError(message("fft: the last dimension must be known.", received=f"{x!r}"))
    return x.shape[-1]


def _wide(real: np.ndarray, imaginary: np.ndarray) -> np.ndarray:
    return real.astype(np.float64) + 1j * imaginary.astype(np.float64)


@dft_op.reference
def _dft_reference(real: np.ndarray, imaginary: np.ndarray, *, inverse: bool) -> tuple[Any, Any]:
    y = (np.fft.ifft if inverse else np.fft.fft)(_wide(real, imaginary))
    return y.real, y.imag


@dft_op.decompose
def _dft_decompose(real: Any, imaginary: Any, *, inverse: bool) -> tuple[Any, Any]:
    n = real.shape[-1]
    y = _transform(_rows(real, imaginary), n, 1 if inverse else -1)
    parts = (movement.reshape(part, real.shape) for part in _parts(y))
    found = tuple(ew.multiply(part, 1 / n) if inverse else part for part in parts)
    return found[0], found[1]


def _is_for_onnx(shape: Any) -> bool:
    """ONNX's DFT has a batch dimension, and onnxruntime's is inexact unless the points are a power of two."""
    return len(shape) > 1 and shape[-1] & (shape[-1] - 1) == 0


def _onnx_dft(g: Any, x: str, inverse: bool, onesided: bool) -> tuple[str, str]:
    """x (..., n, 1 or 2) transformed over n, as two tensors."""
    axis = len(g.shape(x)) - 2
    if g.opset >= 20:
        y = g.node(
            "DFT", x, "", g.constant(np.array(axis, np.int64)), inverse=int(inverse), onesided=int(onesided)
        )
    else:
        y = g.node("DFT", x, axis=axis, inverse=int(inverse), onesided=int(onesided))
    at = [g.constant(np.array(k, np.int64)) for k in (0, 1)]
    return g.node("Gather", y, at[0], axis=axis + 1), g.node("Gather", y, at[1], axis=axis + 1)


@dft_op.onnx
def _dft_onnx(g: Any, real: str, imaginary: str, *, inverse: bool) -> tuple[str, str] | None:
    if not _is_for_onnx(g.shape(real)):
        return None
    last = g.constant(np.array([-1], np.int64))
    pair = [g.node("Unsqueeze", part, last) for part in (real, imaginary)]
    return _onnx_dft(g, g.node("Concat", *pair, axis=-1), inverse, False)


@dft_op.samples
def _dft_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape in ((2, 6), (5,), (2, 8)):
        real, imaginary = (rng.normal(size=shape).astype("float32") for _ in range(2))
        yield Sample((real, imaginary), {"inverse": False}, f"{shape}")
        yield Sample((real, imaginary), {"inverse": True}, f"inverse{shape}")
    long = [rng.normal(size=(1, 120)).astype("float32") for _ in range(2)]
    yield Sample(tuple(long), {"inverse": False}, "factors")


# --- real to complex and back -------------------------------------------------------------------------------


@rdft_op.infer
def _rdft_infer(x: TensorType) -> tuple[TensorType, TensorType]:
    y = TensorType((*x.shape[:-1], _known(x) // 2 + 1), x.dtype)
    return y, y


@rdft_op.reference
def _rdft_reference(x: np.ndarray) -> tuple[Any, Any]:
    y = np.fft.rfft(x.astype(np.float64))
    return y.real, y.imag


@rdft_op.decompose
def _rdft_decompose(x: Any) -> tuple[Any, Any]:
    n, bins = x.shape[-1], x.shape[-1] // 2 + 1
    if n <= DIRECT:
        weights = _rotations(n, np.outer(np.arange(n), np.arange(bins)), -1)
        dtype = dtypes.numpy_dtype(dtypes.standardize(x.dtype))
        matrix = np.concatenate([weights.real, weights.imag], axis=-1).astype(dtype)
        both = products.matmul(movement.reshape(x, (product(x.shape[:-1]), n)), matrix)
        both = movement.reshape(both, (*x.shape[:-1], 2 * bins))
        return arrange.part(both, -1, 0, bins), arrange.part(both, -1, bins, bins)
    real, imaginary = _dft_decompose(x, ew.multiply(x, 0), inverse=False)
    return arrange.part(real, -1, 0, bins), arrange.part(imaginary, -1, 0, bins)


@rdft_op.onnx
def _rdft_onnx(g: Any, x: str) -> tuple[str, str] | None:
    if not _is_for_onnx(g.shape(x)):
        return None
    return _onnx_dft(g, g.node("Unsqueeze", x, g.constant(np.array([-1], np.int64))), False, True)


@rdft_op.samples
def _rdft_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape in ((2, 6), (5,), (1, 96)):
        yield Sample((rng.normal(size=shape).astype("float32"),), {}, f"{shape}")


@irdft_op.infer
def _irdft_infer(real: TensorType, imaginary: TensorType, *, length: int) -> TensorType:
    if real.shape != imaginary.shape or not real.shape:
        raise ShapeError(
            message("irfft: both parts must have one shape.", received=f"{real!r} and {imaginary!r}")
        )
    if _known(real) != length // 2 + 1:
        raise ShapeError(
            message(f"irfft: {length} points need {length // 2 + 1} bins.", received=f"{real!r}")
        )
    return TensorType((*real.shape[:-1], length), real.dtype)


@irdft_op.reference
def _irdft_reference(real: np.ndarray, imaginary: np.ndarray, *, length: int) -> np.ndarray:
    return np.fft.irfft(_wide(real, imaginary), length)


@irdft_op.decompose
def _irdft_decompose(real: Any, imaginary: Any, *, length: int) -> Any:
    bins = real.shape[-1]
    if length <= DIRECT:
        factors = np.where((np.arange(bins) == 0) | (2 * np.arange(bins) == length), 1, 2) / length
        weights = _rotations(length, np.outer(np.arange(bins), np.arange(length)), 1) * factors[:, None]
        dtype = dtypes.numpy_dtype(dtypes.standardize(real.dtype))
        matrix = np.concatenate([weights.real, -weights.imag]).astype(dtype)
        both = joining.concatenate([real, imaginary], axis=-1)
        y = products.matmul(movement.reshape(both, (product(real.shape[:-1]), 2 * bins)), matrix)
        return movement.reshape(y, (*real.shape[:-1], length))
    # The other half mirrors the first; the imaginary part of what mirrors itself does not count.
    mirrored = length - bins
    edge = np.ones(bins, dtypes.numpy_dtype(dtypes.standardize(real.dtype)))
    edge[[0, *([bins - 1] if length % 2 == 0 else [])]] = 0
    imaginary = ew.multiply(imaginary, edge)
    whole = [
        joining.concatenate([part, cutting.flip(arrange.part(part, -1, 1, mirrored), -1)], axis=-1)
        for part in (real, imaginary)
    ]
    sign = np.where(np.arange(length) < bins, 1, -1).astype(edge.dtype)
    return _dft_decompose(whole[0], ew.multiply(whole[1], sign), inverse=True)[0]


@irdft_op.samples
def _irdft_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape, length in (((2, 4), 6), ((3,), 5), ((1, 49), 96), ((1, 49), 97)):
        parts = tuple(rng.normal(size=shape).astype("float32") for _ in range(2))
        yield Sample(parts, {"length": length}, f"{shape}{length}")


# --- public -------------------------------------------------------------------------------------------------


def pair_of(x: Any) -> tuple[Any, Any]:
    """Real and imaginary part, given as a pair, as floats of one shape."""
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ArgumentError(
            f"Input `x` should be a tuple of two tensors - real and imaginary. Received: x={x}"
        )
    real, imaginary = (floating(part) for part in x)
    if tuple(real.shape) != tuple(imaginary.shape):
        raise ValueError(
            "Input `x` should be a tuple of two tensors - real and imaginary. Both the real and imaginary "
            f"parts should have the same shape. Received: x[0].shape = {real.shape}, "
            f"x[1].shape = {imaginary.shape}"
        )
    real, imaginary = ew.operands(real, imaginary)
    return real, imaginary


def fft(x: Any) -> tuple[Any, Any]:
    """The Fourier transform over the last axis: sum over t of x[t] exp(-2 pi i k t / n).

    Args:    x: a pair of tensors (..., n), real and imaginary part; the result is such a pair.

    >>> [part.tolist() for part in fft((np.array([1.0, 0.0]), np.array([0.0, 0.0])))]
    [[1.0, 1.0], [0.0, 0.0]]
    """
    return dft_op(*_at_least("fft", pair_of(x), 1), inverse=False)


def _at_least(op: str, x: tuple[Any, Any], rank: int) -> tuple[Any, Any]:
    if len(x[0].shape) < rank:
        raise ValueError(f"{op}: Input should have rank >= {rank}. Received: shape={tuple(x[0].shape)}")
    return x


def _both_axes(op: str, x: Any, inverse: bool) -> tuple[Any, Any]:
    real, imaginary = dft_op(*_at_least(op, pair_of(x), 2), inverse=inverse)
    turned = (arrange.swapaxes(part, -1, -2) for part in (real, imaginary))
    real, imaginary = dft_op(*turned, inverse=inverse)
    return arrange.swapaxes(real, -1, -2), arrange.swapaxes(imaginary, -1, -2)


def fft2(x: Any) -> tuple[Any, Any]:
    """The Fourier transform over the last two axes, of a pair of tensors and as one."""
    return _both_axes("fft2", x, False)


def ifft2(x: Any) -> tuple[Any, Any]:
    """The inverse of `fft2`."""
    return _both_axes("ifft2", x, True)


def fitted(x: Any, n: Any) -> Any:
    """x with n elements along its last axis: cut, or filled up with zeros."""
    more = n - x.shape[-1]
    if isinstance(more, int) and more <= 0:
        return arrange.part(x, -1, 0, n)
    none = (0,) * len(x.shape)
    return cutting.pad_op(x, before=none, after=(*none[1:], more), inner=none, value=0.0)


def _checked_length(op: str, length: Any) -> int:
    if length < 1:
        raise ValueError(f"{op}: `fft_length` should be positive. Received: fft_length={length}")
    return int(length)


def rfft(x: Any, fft_length: int | None = None) -> tuple[Any, Any]:
    """The Fourier transform of a real tensor over its last axis: the first n // 2 + 1 numbers, a pair.

    Args:    fft_length: n; x is cut or filled up with zeros to it.

    >>> [part.shape for part in rfft(np.ones((2, 6), "float32"))]
    [(2, 4), (2, 4)]
    """
    x = floating(x)
    return rdft_op(x if fft_length is None else fitted(x, _checked_length("rfft", fft_length)))


def irfft(x: Any, fft_length: int | None = None) -> Any:
    """The real tensor of which the pair x is `rfft`: n = `fft_length`, by default 2 (bins - 1)."""
    real, imaginary = pair_of(x)
    length = 2 * (real.shape[-1] - 1) if fft_length is None else fft_length
    length = _checked_length("irfft", length)
    bins = length // 2 + 1
    return irdft_op(fitted(real, bins), fitted(imaginary, bins), length=length)
