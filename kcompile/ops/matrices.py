"""Linear algebra: norms as ops; factorizations by NumPy, which a compiled model cannot contain."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.ops import elementwise as ew
from kcompile.ops import movement, reduce
from kcompile.ops.composite import floating


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Norm of vectors (axis: an int) or matrices (a pair), as numpy.linalg.norm.

    >>> norm([[3.0, 4.0]]).item()
    5.0
    """
    x = floating(x)
    axes = reduce.normalize_axes("norm", axis, len(x.shape))
    if ord is None or (ord == 2 and len(axes) == 1) or (ord == "fro" and len(axes) == 2):
        return ew.sqrt(reduce.sum(ew.square(x), axis=axes, keepdims=keepdims))
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) != 2:
        raise ValueError(
            f"Invalid axis={axis} for `ord={ord}`: norms are of vectors (1 axis) or matrices (2)."
        )
    pair = axes if axis is None else tuple(int(a) % len(x.shape) for a in axis)
    return _matrix_norm(x, ord, pair, keepdims)


def _vector_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    size = ew.absolute(x)
    if ord == math.inf:
        return reduce.max(size, axis=axes, keepdims=keepdims)
    if ord == -math.inf:
        return reduce.min(size, axis=axes, keepdims=keepdims)
    if ord == 0:
        return reduce.sum(
            ew.cast(ew.not_equal(x, 0), dtypes.standardize(x.dtype)), axis=axes, keepdims=keepdims
        )
    if ord == 1:
        return reduce.sum(size, axis=axes, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f"Invalid `ord={ord}` for vector norm.")
    total = reduce.sum(ew.power(size, float(ord)), axis=axes, keepdims=keepdims)
    return ew.power(total, 1.0 / ord)


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if ord in (1, -1, math.inf, -math.inf):
        summed, found = (axes[0], axes[1]) if abs(ord) == 1 else (axes[1], axes[0])
        sums = reduce.sum(ew.absolute(x), axis=summed, keepdims=True)
        y = (reduce.max if ord > 0 else reduce.min)(sums, axis=found, keepdims=True)
        return y if keepdims else movement.squeeze(y, axes)
    if ord not in (2, -2, "nuc"):
        raise ValueError(f"Invalid `ord={ord}` for matrix norm.")
    return _as(x, np.linalg.norm(np.asarray(x), ord, axes, keepdims))


# --- by NumPy -----------------------------------------------------------------------------------------------


def _as(like: Any, results: Any) -> Any:
    """Results in the dtype of the operand."""
    if isinstance(results, tuple):
        return tuple(_as(like, r) for r in results)
    results = np.asarray(results)
    return results.astype(like.dtype) if results.dtype.kind == "f" else results


def _array(op: str, x: Any) -> np.ndarray:
    from kcompile.ir.graph import Value

    x = floating(x)
    if isinstance(x, Value):
        raise NotImplementedError(f"{op} has no kernel: it works on arrays, not inside of a compiled model.")
    return x


def _by_numpy(name: str, function: Callable[..., Any], text: str) -> Callable[..., Any]:
    def call(x: Any) -> Any:
        x = _array(name, x)
        return _as(x, function(x))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{text} Arrays only."
    return call


inv = _by_numpy("inv", np.linalg.inv, "The inverse of each matrix.")
det = _by_numpy("det", np.linalg.det, "The determinant of each matrix.")
slogdet = _by_numpy("slogdet", lambda x: tuple(np.linalg.slogdet(x)), "Sign and log of the determinant.")
logdet = _by_numpy("logdet", lambda x: np.linalg.slogdet(x)[1], "log of the determinant.")
eigh = _by_numpy("eigh", lambda x: tuple(np.linalg.eigh(x)), "Eigenvalues and vectors of symmetric matrices.")


def cholesky(x: Any, upper: bool = False) -> Any:
    """The triangular root of symmetric positive matrices. Arrays only."""
    x = _array("cholesky", x)
    try:
        return _as(x, np.linalg.cholesky(x, upper=upper))
    except np.linalg.LinAlgError as error:
        raise ValueError(f"cholesky: the matrix is not positive definite ({error}).") from None


def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """The inverse of a matrix of which x is the Cholesky root. Arrays only."""
    x = _array("cholesky_inverse", x)
    other = np.swapaxes(x, -1, -2)
    return _as(x, np.linalg.inv(other @ x if upper else x @ other))


def solve(a: Any, b: Any) -> Any:
    """x of a x = b. Arrays only."""
    a, b = _array("solve", a), _array("solve", b)
    one = b.ndim == a.ndim - 1
    x = np.linalg.solve(a, b[..., None] if one else b)
    return _as(a, x[..., 0] if one else x)


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """x of a x = b, where only one triangle of a counts. Arrays only."""
    a = _array("solve_triangular", a)
    return solve(np.tril(a) if lower else np.triu(a), b)


def qr(x: Any, mode: Any = "reduced") -> Any:
    """Orthogonal and triangular factors. Arrays only."""
    if mode not in ("reduced", "complete"):
        raise ValueError(
            f"`mode` argument value not supported. Expected 'reduced' or 'complete'. Received: mode={mode}"
        )
    x = _array("qr", x)
    return _as(x, tuple(np.linalg.qr(x, mode)))


def svd(x: Any, full_matrices: bool = True, compute_uv: Any = True) -> Any:
    """Singular values, and vectors unless compute_uv=False. Arrays only."""
    x = _array("svd", x)
    found = np.linalg.svd(x, full_matrices=full_matrices, compute_uv=compute_uv)
    return _as(x, tuple(found) if compute_uv else found)


def lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    """x with the least |a x - b|. Arrays only."""
    a = _array("lstsq", a)
    return _as(a, np.linalg.lstsq(a, _array("lstsq", b), rcond=rcond)[0])


def pinv(x: Any, rcond: float | None = None) -> Any:
    """The pseudo-inverse. Arrays only."""
    x = _array("pinv", x)
    return _as(x, np.linalg.pinv(x) if rcond is None else np.linalg.pinv(x, rcond))


def matrix_rank(x: Any, tol: float | None = None) -> Any:
    """How many singular values exceed `tol`. Arrays only."""
    return np.asarray(np.linalg.matrix_rank(_array("matrix_rank", x), tol), np.int32)
