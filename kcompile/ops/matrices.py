"""Linear algebra: norms, factorizations and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.ir.graph import Value
from kcompile.ops import arrange, create, movement, products, reduce
from kcompile.ops import elementwise as ew
from kcompile.ops.composite import floating
from kcompile.ops.factorizations import (
    det_op,
    inverse,
    lu_op,
    safe,
    slogdet_op,
    solve_op,
    solve_triangular_op,
    transposed,
)
from kcompile.ops.orthogonal import cholesky_op, completed, eigh_op, qr_op, svd_op


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
    values = singular_values(arrange.moveaxis(x, axes, (-2, -1)))
    y = (
        reduce.sum(values, axis=-1)
        if ord == "nuc"
        else (reduce.max if ord > 0 else reduce.min)(values, axis=-1)
    )
    return movement.expand_dims(y, sorted(axes)) if keepdims else y


# --- factorizations -----------------------------------------------------------------------------------------


def _matrices(op: str, x: Any, square: bool = False) -> Any:
    """x as floats; ValueError unless it holds matrices."""
    x = floating(x)
    if len(x.shape) < 2:
        raise ValueError(f"{op}: Expected input to have rank >= 2. Received: x.shape={tuple(x.shape)}")
    if square and x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{op}: Expected a square matrix. Received: x.shape={tuple(x.shape)}")
    return x


def lu_factor(x: Any) -> tuple[Any, Any]:
    """L and U of P x = L U in one matrix (the ones on the diagonal of L are not kept), and the pivots.

    Shapes:  x (..., m, n) -> (..., m, n) and int32 (..., min(m, n)): in step k rows k and pivots[k] changed
             places.
    """
    return lu_op(_matrices("lu_factor", x))


def det(x: Any) -> Any:
    """The determinant of each matrix (..., n, n).

    >>> round(float(det([[1.0, 2.0], [3.0, 4.0]])), 4)
    -2.0
    """
    return det_op(_matrices("det", x, square=True))


def slogdet(x: Any) -> tuple[Any, Any]:
    """Sign and logarithm of the absolute value of the determinant."""
    return slogdet_op(_matrices("slogdet", x, square=True))


def logdet(x: Any) -> Any:
    """Logarithm of the determinant of symmetric positive matrices."""
    return slogdet(x)[1]


def inv(x: Any) -> Any:
    """The inverse of each matrix (..., n, n); NaN where there is none.

    >>> inv([[2.0, 0.0], [0.0, 4.0]]).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return inverse(_matrices("inv", x, square=True))


def cholesky(x: Any, upper: bool = False) -> Any:
    """The triangular L of x = L L^T, for symmetric positive matrices (..., n, n); its transpose if `upper`.

    Raises:  ValueError for arrays that are not positive definite. In a compiled program the result is NaN.

    >>> cholesky([[4.0, 2.0], [2.0, 2.0]]).tolist()
    [[2.0, 0.0], [1.0, 1.0]]
    """
    x = _matrices("cholesky", x, square=True)
    y = cholesky_op(x)
    if isinstance(y, np.ndarray) and np.isnan(y).any() and not np.isnan(x).any():
        raise ValueError("Cholesky decomposition failed: a matrix is not positive definite.")
    return transposed(y) if upper else y


def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """The inverse of the matrix of which x is the Cholesky root."""
    x = _matrices("cholesky_inverse", x, square=True)
    lower = transposed(x) if upper else x
    one = movement.broadcast_to(create.eye(x.shape[-1], dtype=dtypes.standardize(x.dtype)), x.shape)
    root = solve_triangular_op(lower, one, lower=True, unit=False)
    return products.matmul(transposed(root), root)


def _solved(op: str, a: Any, b: Any, solution: Any) -> Any:
    """solution(a, b) for vectors b (..., n) and matrices b (..., n, k)."""
    a, b = ew.operands(_matrices(op, a, square=True), floating(b))
    vectors = len(b.shape) == len(a.shape) - 1
    if vectors:
        b = movement.expand_dims(b, -1)
    if len(b.shape) != len(a.shape) or b.shape[-2] != a.shape[-1]:
        raise ValueError(
            f"{op}: Incompatible shapes between `a` and `b`. Received: a.shape={tuple(a.shape)}, "
            f"b.shape={tuple(b.shape)}"
        )
    y = solution(a, b)
    return movement.squeeze(y, -1) if vectors else y


def solve(a: Any, b: Any) -> Any:
    """x of a x = b. Shapes:  a (..., n, n), b (..., n) or (..., n, k) -> as b.

    >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 4.0]).tolist()
    [1.0, 1.0]
    """
    return _solved("solve", a, b, solve_op)


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """x of a x = b, where only the lower or the upper triangle of a counts. Shapes:  as `solve`."""
    return _solved(
        "solve_triangular", a, b, lambda a, b: solve_triangular_op(a, b, lower=bool(lower), unit=False)
    )


def qr(x: Any, mode: str = "reduced") -> tuple[Any, Any]:
    """x (..., m, n) = q r, q with orthonormal columns, r upper triangular.

    Shapes:  "reduced": q (..., m, k) and r (..., k, n), k = min(m, n); "complete": (..., m, m), (..., m, n).
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(
            f"`mode` argument value not supported. Expected 'reduced' or 'complete'. Received: mode={mode}"
        )
    return qr_op(_matrices("qr", x), complete=mode == "complete")


def _factors(op: Callable[[Any], Any], x: Any) -> tuple[Any, ...]:
    """What `op` gives for matrices; NaN for those that hold NaN or infinities and have no such factors."""
    known = reduce.all(ew.isfinite(x), axis=(-2, -1), keepdims=True)
    found = op(ew.where(known, x, 0))
    of_rank = {len(x.shape): known, len(x.shape) - 1: movement.squeeze(known, -1)}
    return tuple(ew.where(of_rank[len(part.shape)], part, math.nan) for part in found)


def eigh(x: Any) -> tuple[Any, Any]:
    """Ascending eigenvalues (..., n) and eigenvectors, columns (..., n, n), of symmetric matrices."""
    return _factors(eigh_op, _matrices("eigh", x, square=True))


def eig(x: Any) -> tuple[Any, Any]:
    """Eigenvalues (..., n) and eigenvectors, columns (..., n, n), of square matrices, as complex arrays.

    Arrays only: kernels have no complex numbers.
    """
    x = _matrices("eig", x, square=True)
    if isinstance(x, Value):
        raise NotImplementedError("eig gives complex numbers, which a compiled model cannot hold; see eigh.")
    known = np.isfinite(x).all((-2, -1))[..., None]
    values, vectors = np.linalg.eig(np.where(known[..., None], x, 0))
    values, vectors = np.where(known, values, np.nan), np.where(known[..., None], vectors, np.nan)
    kind = np.result_type(x.dtype, np.complex64)
    return values.astype(kind), vectors.astype(kind)


def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """x (..., m, n) = u diag(s) v: u, s, v, or s alone.

    Shapes:  k = min(m, n): u (..., m, m), s (..., k), v (..., n, n); without `full_matrices` u (..., m, k)
             and v (..., k, n).
    """
    u, s, v = _factors(svd_op, _matrices("svd", x))
    if not compute_uv:
        return s
    return (completed(u), s, transposed(completed(transposed(v)))) if full_matrices else (u, s, v)


def singular_values(x: Any) -> Any:
    return _factors(svd_op, x)[1]


def _precision(x: Any, factor: float) -> float:
    m, n = x.shape[-2:]
    return factor * max(m, n) * dtypes.spacing(dtypes.standardize(x.dtype))


def lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    """x with the least |a x - b|, the shortest if there are several. Shapes:  a (m, n), b (m,) or (m, k).

    Args:    rcond: singular values below rcond times the largest count as 0; by default max(m, n) roundings.
    """
    a, b = ew.operands(_matrices("lstsq", a), floating(b))
    if b.shape[0] != a.shape[0]:
        raise ValueError(f"Leading dimensions of input arrays must match. Received: {a.shape} and {b.shape}")
    return products.matmul(pinv(a, _precision(a, 1.0) if rcond is None else rcond), b)


def pinv(x: Any, rcond: float | None = None) -> Any:
    """The pseudo-inverse (..., n, m) of each matrix (..., m, n).

    Args:    rcond: singular values below rcond times the largest count as 0; by default 10 max(m, n)
             roundings.
    """
    x = _matrices("pinv", x)
    u, s, v = _factors(svd_op, x)
    cutoff = ew.multiply(
        reduce.max(s, axis=-1, keepdims=True), _precision(x, 10.0) if rcond is None else rcond
    )
    kept = ew.greater(s, cutoff)
    reciprocal = ew.where(kept, ew.true_divide(1.0, safe(s, kept)), 0.0)
    return products.matmul(ew.multiply(transposed(v), movement.expand_dims(reciprocal, -2)), transposed(u))


def matrix_rank(x: Any, tol: Any = None) -> Any:
    """How many singular values exceed `tol`, by default max(m, n) roundings of the largest; int32.

    Several limits give several ranks.
    """
    x = _matrices("matrix_rank", x)
    s = singular_values(x)
    if tol is None:
        limit = ew.multiply(reduce.max(s, axis=-1, keepdims=True), _precision(x, 1.0))
    else:
        limit = movement.expand_dims(tol, -1)
    return reduce.sum(ew.cast(ew.greater(s, limit), "int32"), axis=-1)
