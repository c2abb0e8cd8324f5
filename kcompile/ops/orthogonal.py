"""Cholesky's and the orthogonal factorizations: QR by reflections, eigenvalues by rotations.

NumPy computes them on arrays. In a compiled program QR and Cholesky are loops over columns; eigenvalues and
singular values come from Jacobi's rotations, half of the columns paired with the other half in each step, so
that n - 1 steps meet every pair (Golub and Van Loan, Matrix Computations, 4.2, 5.2, 8.5 and 8.6).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import arrange, control, create, joining, movement, order, products, reduce
from kcompile.ops import elementwise as ew
from kcompile.ops import index as indexing
from kcompile.ops.factorizations import (
    column,
    flat,
    matrix_of,
    outer,
    safe,
    solve_triangular_op,
    steps,
    transposed,
)

# --- Cholesky -----------------------------------------------------------------------------------------------

cholesky_op = Op("cholesky")
"""The lower triangular L of (x + x^T) / 2 = L L^T; NaN where there is none."""


@cholesky_op.infer
def _cholesky_infer(x: TensorType) -> TensorType:
    matrix_of("cholesky", x, square=True)
    return x


@cholesky_op.reference
def _cholesky_reference(x: np.ndarray) -> np.ndarray:
    wide = _symmetric(x.astype(np.float64)).reshape(-1, *x.shape[-2:])
    found = np.full_like(wide, np.nan)
    for k, one in enumerate(wide):
        if np.linalg.eigvalsh(one).min(initial=np.inf) > 0:
            found[k] = np.linalg.cholesky(one)
    return found.reshape(x.shape)


@cholesky_op.vjp
def _cholesky_vjp(dy: Any, y: Any, x: Any) -> tuple[Any]:
    """Murray 2016, Differentiation of the Cholesky decomposition, (8) to (10)."""
    n = x.shape[-1]
    middle = products.matmul(transposed(y), dy)
    lower = ew.multiply(middle, (np.tri(n) - 0.5 * np.eye(n)).astype(dtypes.numpy_dtype(x.dtype)))
    right = solve_triangular_op(transposed(y), transposed(lower), lower=False, unit=False)
    both = solve_triangular_op(transposed(y), transposed(right), lower=False, unit=False)
    return (ew.multiply(ew.add(both, transposed(both)), 0.5),)


@cholesky_op.decompose
def _cholesky_decompose(x: Any) -> Any:
    rows = steps(x.shape[-1])

    def step(a: Any, k: Any) -> tuple[Any, Any]:
        own = column(a, k)
        root = ew.sqrt(indexing.take(own, movement.reshape(k, (1,)), axis=1))
        own = ew.where(ew.greater_equal(rows, k), ew.true_divide(own, root), 0.0)
        return ew.subtract(a, outer(own, own)), own

    _, columns = control.scan(step, flat(_symmetric(x)), rows)
    return movement.reshape(movement.transpose(columns, (1, 2, 0)), x.shape)


@cholesky_op.samples
def _cholesky_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape in ((2, 3, 3), (4, 4)):
        a = rng.normal(size=shape)
        yield Sample(((a @ a.swapaxes(-1, -2) + np.eye(shape[-1])).astype("float32"),), {}, f"{shape}")


# --- QR -----------------------------------------------------------------------------------------------------

qr_op = Op("qr", outputs=2)
"""x (..., m, n) = Q R, Q with orthonormal columns: min(m, n) of them, or m if `complete`."""


@qr_op.infer
def _qr_infer(x: TensorType, *, complete: bool) -> tuple[TensorType, TensorType]:
    m, n = matrix_of("qr", x)
    inner = m if complete else min(m, n)
    lead = x.shape[:-2]
    return TensorType((*lead, m, inner), x.dtype), TensorType((*lead, inner, n), x.dtype)


@qr_op.reference
def _qr_reference(x: np.ndarray, *, complete: bool) -> tuple[Any, Any]:
    found = np.linalg.qr(x.astype(np.float64), "complete" if complete else "reduced")
    return found.Q, found.R


@qr_op.decompose
def _qr_decompose(x: Any, *, complete: bool) -> tuple[Any, Any]:
    m, n = x.shape[-2:]
    inner, rows = m if complete else min(m, n), steps(m)

    def step(carry: Any, k: Any) -> tuple[Any, Any]:
        a, q = carry
        own = column(a, k)
        head = indexing.take(own, movement.reshape(k, (1,)), axis=1)
        below = ew.where(ew.greater(rows, k), own, 0.0)
        rest = reduce.sum(ew.square(below), axis=1, keepdims=True)
        active = ew.greater(rest, 0)
        size = ew.sqrt(ew.add(ew.square(head), safe(rest, active)))
        first = ew.add(head, ew.where(ew.less(head, 0), ew.negative(size), size))
        v = ew.where(ew.equal(rows, k), first, below)
        norm = ew.add(ew.square(first), rest)
        scale = ew.where(active, ew.true_divide(2.0, safe(norm, active)), 0.0)
        scaled = ew.multiply(v, scale)
        a = ew.subtract(a, outer(scaled, _applied(v, a)))
        return (a, ew.subtract(q, outer(_applied(v, transposed(q)), scaled))), None

    a = flat(x)
    q = movement.broadcast_to(create.eye(m, dtype=dtypes.standardize(x.dtype)), (a.shape[0], m, m))
    (a, q), _ = control.scan(step, (a, q), steps(min(m, n)))
    upper = np.arange(m)[:, None] <= np.arange(n)
    r = arrange.part(ew.where(upper, a, 0.0), 1, 0, inner)
    lead = x.shape[:-2]
    return (
        movement.reshape(arrange.part(q, 2, 0, inner), (*lead, m, inner)),
        movement.reshape(r, (*lead, inner, n)),
    )


def _applied(v: Any, a: Any) -> Any:
    """v^T a: (b, m) and (b, m, n) -> (b, n)."""
    return reduce.sum(ew.multiply(movement.expand_dims(v, 2), a), axis=1)


@qr_op.samples
def _qr_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape in ((2, 4, 3), (2, 4)):
        x = rng.normal(size=shape).astype("float32")
        yield Sample((x,), {"complete": False}, f"{shape}")
        yield Sample((x,), {"complete": True}, f"complete{shape}", differentiable=shape[-2] <= shape[-1])


# --- rotations ----------------------------------------------------------------------------------------------


def _partners(n: int) -> np.ndarray:
    """Who meets whom in the rounds of a tournament of all n; whoever meets nobody, themselves."""
    last = n + n % 2 - 1  # one player sits still, the others move around a circle
    rounds = np.tile(np.arange(n, dtype="int32"), (max(last, 1), 1))
    for r in range(last):
        pairs = [(last, r), *(((r + k) % last, (r - k) % last) for k in range(1, (last + 1) // 2))]
        for one, other in pairs:
            if one < n and other < n:
                rounds[r, one], rounds[r, other] = other, one
    return rounds


def _rounds(n: int) -> np.ndarray:
    """The rounds of enough sweeps: convergence is quadratic once the matrix is nearly diagonal."""
    sweeps = 7 + math.ceil(math.log2(max(n, 2)))
    return np.tile(_partners(n), (sweeps, 1))


def _signs(negative: Any, like: Any) -> Any:
    """-1 and 1 in the dtype of `like`, whatever the default is."""
    dtype = dtypes.numpy_dtype(dtypes.standardize(like.dtype))
    return ew.where(negative, np.asarray(-1.0, dtype), np.asarray(1.0, dtype))


def _rotation(one: Any, other: Any, both: Any, size: Any, is_first: Any) -> tuple[Any, Any]:
    """The cosine, and the sine with its sign, that make the matrix [[one, both], [both, other]] diagonal.

    `one` belongs to each index, `other` to its partner. Where `both` is a rounding of `size` nothing is
    turned: what is left are errors of earlier turns.
    """
    unit = float(np.finfo(dtypes.numpy_dtype(dtypes.standardize(one.dtype))).eps)
    active = ew.greater(ew.absolute(both), ew.multiply(size, unit))
    tau = ew.true_divide(ew.subtract(other, one), safe(ew.multiply(both, 2.0), active))
    root = ew.sqrt(ew.add(ew.square(tau), 1.0))
    t = ew.true_divide(_signs(ew.less(tau, 0), tau), ew.add(ew.absolute(tau), root))
    # Both of a pair must see one angle: where tau is 0 the first says which.
    t = ew.where(ew.equal(tau, 0), _signs(ew.logical_not(is_first), tau), t)
    t = ew.where(active, t, 0.0)
    cosine = ew.rsqrt(ew.add(ew.square(t), 1.0))
    return cosine, ew.negative(ew.multiply(t, cosine))


def _turned(a: Any, cosine: Any, sine: Any, partner: Any) -> Any:
    """The columns of a, each mixed with its partner's."""
    c, s = movement.expand_dims(cosine, 1), movement.expand_dims(sine, 1)
    return ew.add(ew.multiply(a, c), ew.multiply(indexing.take(a, partner, axis=2), s))


def _sign_of_columns(v: Any) -> Any:
    """Signs that make the largest element of each column positive: (b, n)."""
    at = movement.expand_dims(reduce.argmax(ew.absolute(v), axis=-2), -2)
    largest = movement.squeeze(indexing.take_along_axis(v, at, axis=-2), -2)
    return _signs(ew.less(largest, 0), largest)


# --- eigenvalues of symmetric matrices ----------------------------------------------------------------------

eigh_op = Op("eigh", outputs=2)
"""Ascending eigenvalues (..., n) and eigenvectors (columns) of (x + x^T) / 2; the largest element of an
eigenvector is positive."""


@eigh_op.infer
def _eigh_infer(x: TensorType) -> tuple[TensorType, TensorType]:
    matrix_of("eigh", x, square=True)
    return TensorType(x.shape[:-1], x.dtype), x


def _symmetric(x: Any) -> Any:
    return ew.multiply(ew.add(x, transposed(x)), 0.5)


@eigh_op.reference
def _eigh_reference(x: np.ndarray) -> tuple[Any, Any]:
    wide = x.astype(np.float64)
    values, vectors = np.linalg.eigh((wide + np.swapaxes(wide, -1, -2)) / 2)
    if not vectors.size:
        return values, vectors
    return values, vectors * _sign_of_columns(vectors)[..., None, :]


@eigh_op.vjp
def _eigh_vjp(dy: Any, y: Any, x: Any) -> tuple[Any]:
    values, vectors = y
    inside = ew.multiply(_gaps(values), products.matmul(transposed(vectors), dy[1]))
    inside = ew.add(
        inside, ew.multiply(create.eye(x.shape[-1], dtype=x.dtype), movement.expand_dims(dy[0], -2))
    )
    return (_symmetric(products.matmul(products.matmul(vectors, inside), transposed(vectors))),)


def _gaps(values: Any) -> Any:
    """1 / (values[j] - values[i]), 0 where they are equal."""
    gap = ew.subtract(movement.expand_dims(values, -2), movement.expand_dims(values, -1))
    apart = ew.not_equal(gap, 0)
    return ew.where(apart, ew.true_divide(1.0, safe(gap, apart)), 0.0)


@eigh_op.decompose
def _eigh_decompose(x: Any) -> tuple[Any, Any]:
    n, index = x.shape[-1], steps(x.shape[-1])
    a = flat(_symmetric(x))
    v = movement.broadcast_to(create.eye(n, dtype=dtypes.standardize(x.dtype)), a.shape)

    def step(carry: Any, partner: Any) -> tuple[Any, Any]:
        a, v = carry
        diagonal = _diagonal(a)
        across = ew.equal(movement.expand_dims(partner, 1), index)  # [i, partner of i]
        paired = ew.not_equal(partner, index)
        both = ew.where(paired, reduce.sum(ew.where(across, a, 0.0), axis=2), 0.0)
        both = ew.multiply(ew.add(both, indexing.take(both, partner, axis=1)), 0.5)  # one angle for a pair
        other = indexing.take(diagonal, partner, axis=1)
        mean = ew.multiply(ew.add(ew.absolute(diagonal), ew.absolute(other)), 0.5)
        cosine, sine = _rotation(diagonal, other, both, mean, ew.less(index, partner))
        a = _turned(a, cosine, sine, partner)
        a = transposed(_turned(transposed(a), cosine, sine, partner))
        return (a, _turned(v, cosine, sine, partner)), None

    (a, v), _ = control.scan(step, (a, v), _rounds(n))
    values = _diagonal(a)
    ranks = order.argsort(values)
    values = indexing.take_along_axis(values, ranks, axis=1)
    v = indexing.take_along_axis(v, movement.broadcast_to(movement.expand_dims(ranks, 1), v.shape), axis=2)
    v = ew.multiply(v, movement.expand_dims(_sign_of_columns(v), 1))
    return movement.reshape(values, x.shape[:-1]), movement.reshape(v, x.shape)


def _diagonal(a: Any) -> Any:
    return reduce.sum(ew.where(create.eye(a.shape[-1], dtype="bool"), a, 0.0), axis=2)


@eigh_op.samples
def _eigh_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape in ((2, 3, 3), (5, 5)):
        a = rng.normal(size=shape) + np.diag(6.0 * np.arange(shape[-1]))
        yield Sample((a.astype("float32"),), {}, f"{shape}")


# --- singular values ----------------------------------------------------------------------------------------

svd_op = Op("svd", outputs=3)
"""x (..., m, n) = U diag(s) V^T with k = min(m, n) columns of U, descending s (..., k) and k rows of V^T; the
largest element of a row of V^T is positive."""


@svd_op.infer
def _svd_infer(x: TensorType) -> tuple[TensorType, TensorType, TensorType]:
    m, n = matrix_of("svd", x)
    lead, k = x.shape[:-2], min(m, n)
    return tuple(TensorType((*lead, *d), x.dtype) for d in ((m, k), (k,), (k, n)))  # type: ignore[return-value]


@svd_op.reference
def _svd_reference(x: np.ndarray) -> tuple[Any, Any, Any]:
    u, s, v = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    if not v.size:
        return u, s, v
    sign = _sign_of_columns(np.swapaxes(v, -1, -2))
    return u * sign[..., None, :], s, v * sign[..., None]


@svd_op.vjp
def _svd_vjp(dy: Any, y: Any, x: Any) -> tuple[Any]:
    """Townsend 2016, Differentiating the singular value decomposition."""
    du, ds, dv = dy[0], dy[1], transposed(dy[2])
    u, s, v = y[0], y[1], transposed(y[2])
    between = _gaps(ew.square(s))
    left, right = products.matmul(transposed(u), du), products.matmul(transposed(v), dv)
    column_s, row_s = movement.expand_dims(s, -1), movement.expand_dims(s, -2)
    inside = ew.multiply(ew.multiply(between, ew.subtract(left, transposed(left))), row_s)
    inside = ew.add(
        inside, ew.multiply(column_s, ew.multiply(between, ew.subtract(right, transposed(right))))
    )
    inside = ew.add(inside, ew.multiply(create.eye(s.shape[-1], dtype=x.dtype), movement.expand_dims(ds, -2)))
    dx = products.matmul(products.matmul(u, inside), transposed(v))
    outside_u = ew.true_divide(ew.subtract(du, products.matmul(u, left)), row_s)
    outside_v = ew.true_divide(ew.subtract(dv, products.matmul(v, right)), row_s)
    dx = ew.add(dx, products.matmul(outside_u, transposed(v)))
    return (ew.add(dx, products.matmul(u, transposed(outside_v))),)


@svd_op.decompose
def _svd_decompose(x: Any) -> tuple[Any, Any, Any]:
    m, n = x.shape[-2:]
    a = flat(x)
    u, s, v = _tall_svd(a if m >= n else transposed(a))
    if m < n:
        u, v = v, u
    sign = movement.expand_dims(_sign_of_columns(v), 1)
    u, v = ew.multiply(u, sign), transposed(ew.multiply(v, sign))
    lead, k = x.shape[:-2], min(m, n)
    return tuple(movement.reshape(t, (*lead, *d)) for t, d in ((u, (m, k)), (s, (k,)), (v, (k, n))))


def _tall_svd(a: Any) -> tuple[Any, Any, Any]:
    """U, s and V of (b, m, n) with m >= n: columns are turned until they are orthogonal (Hestenes 1958)."""
    n, index = a.shape[-1], steps(a.shape[-1])
    v = movement.broadcast_to(create.eye(n, dtype=dtypes.standardize(a.dtype)), (a.shape[0], n, n))

    def step(carry: Any, partner: Any) -> tuple[Any, Any]:
        a, v = carry
        size = reduce.sum(ew.square(a), axis=1)
        both = reduce.sum(ew.multiply(a, indexing.take(a, partner, axis=2)), axis=1)
        both = ew.where(ew.not_equal(partner, index), both, 0.0)
        other = indexing.take(size, partner, axis=1)
        mean = ew.multiply(ew.sqrt(size), ew.sqrt(other))
        cosine, sine = _rotation(size, other, both, mean, ew.less(index, partner))
        return (_turned(a, cosine, sine, partner), _turned(v, cosine, sine, partner)), None

    (a, v), _ = control.scan(step, (a, v), _rounds(n))
    s = ew.sqrt(reduce.sum(ew.square(a), axis=1))
    ranks = order.argsort(ew.negative(s))
    s = indexing.take_along_axis(s, ranks, axis=1)
    a, v = (
        indexing.take_along_axis(t, movement.broadcast_to(movement.expand_dims(ranks, 1), t.shape), axis=2)
        for t in (a, v)
    )
    # Columns that are 0 but for roundings have no direction: reflections give one orthogonal to the rest.
    least = a.shape[-2] * float(np.finfo(dtypes.numpy_dtype(dtypes.standardize(a.dtype))).eps)
    largest = reduce.max(s, axis=1, keepdims=True)
    nonzero = movement.expand_dims(ew.greater(s, ew.multiply(largest, least)), 1)
    unit = ew.where(nonzero, ew.true_divide(a, safe(movement.expand_dims(s, 1), nonzero)), 0.0)
    q, r = qr_op(unit, complete=False)
    turned = movement.expand_dims(_signs(ew.less(_diagonal(r), 0), r), 1)
    return ew.where(nonzero, unit, ew.multiply(q, turned)), s, v


@svd_op.samples
def _svd_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape in ((2, 4, 3), (3, 5)):
        x = rng.normal(size=shape) + np.eye(*shape[-2:]) * (1 + 3 * np.arange(shape[-1]))
        yield Sample((x.astype("float32"),), {}, f"{shape}")


def completed(q: Any) -> Any:
    """Orthonormal columns (..., m, k) and further ones: (..., m, m)."""
    m, k = q.shape[-2:]
    whole, _ = qr_op(q, complete=True)
    return joining.concatenate([q, arrange.part(whole, -1, k, m - k)], axis=-1)
