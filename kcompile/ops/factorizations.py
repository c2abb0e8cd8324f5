"""Triangular factors of matrices by Gaussian elimination, solutions of systems, determinants.

NumPy computes them on arrays. In a compiled program each is a loop over columns, whose step changes the
rest of the matrix (Golub and Van Loan, Matrix Computations, 3.1, 3.2 and 3.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ShapeError, message
from kcompile.core.symbolic import product
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import control, create, movement, products, reduce
from kcompile.ops import elementwise as ew
from kcompile.ops import index as indexing


def matrix_of(op: str, x: TensorType, square: bool = False) -> tuple[int, int]:
    """Rows and columns of matrices, which must be known.

    Raises:  ShapeError for less than two dimensions, unknown ones, and if `square`, for unequal ones.
    """
    if len(x.shape) < 2:
        raise ShapeError(
            message(f"{op}: Expected input to have rank >= 2.", received=f"{x!r}", hint="a matrix")
        )
    m, n = x.shape[-2:]
    if not isinstance(m, int) or not isinstance(n, int):
        raise ShapeError(message(f"{op}: the last two dimensions must be known.", received=f"{x!r}"))
    if square and m != n:
        raise ShapeError(message(f"{op}: Expected a square matrix.", received=f"{x!r}"))
    return m, n


def flat(x: Any) -> Any:
    """x (..., m, n) as (b, m, n)."""
    return movement.reshape(x, (product(x.shape[:-2]), *x.shape[-2:]))


def column(a: Any, k: Any) -> Any:
    """a[:, :, k] for a k that is known only in the loop."""
    return indexing.take(a, k, axis=2)


def row(a: Any, k: Any) -> Any:
    return indexing.take(a, k, axis=1)


def outer(a: Any, b: Any) -> Any:
    """(b, m) and (b, n) as (b, m, n)."""
    return ew.multiply(movement.expand_dims(a, 2), movement.expand_dims(b, 1))


def steps(count: int) -> np.ndarray:
    return np.arange(count, dtype="int32")


def safe(x: Any, test: Any) -> Any:
    """x, and 1 where `test` does not hold: to divide by."""
    return ew.where(test, x, 1.0)


def transposed(x: Any) -> Any:
    axes = [*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2]
    return movement.transpose(x, axes)


# --- LU with partial pivoting -------------------------------------------------------------------------------

lu_op = Op("lu", outputs=2)
"""x (..., m, n) = P L U: L below the diagonal and U in one matrix; the row swapped in each step (int32)."""


@lu_op.infer
def _lu_infer(x: TensorType) -> tuple[TensorType, TensorType]:
    m, n = matrix_of("lu_factor", x)
    return x, TensorType((*x.shape[:-2], min(m, n)), "int32")


@lu_op.reference
def _lu_reference(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    m, n = x.shape[-2:]
    a = x.astype(np.float64).reshape(-1, m, n)
    pivots = np.zeros((len(a), min(m, n)), np.int32)
    for one, swaps in zip(a, pivots, strict=True):
        for k in range(min(m, n)):
            swaps[k] = p = k + int(np.argmax(np.abs(one[k:, k])))
            one[[k, p]] = one[[p, k]]
            if one[k, k] != 0:
                one[k + 1 :, k] /= one[k, k]
                one[k + 1 :, k + 1 :] -= np.outer(one[k + 1 :, k], one[k, k + 1 :])
    return a.reshape(x.shape), pivots.reshape(*x.shape[:-2], min(m, n))


@lu_op.decompose
def _lu_decompose(x: Any) -> tuple[Any, Any]:
    m, n = x.shape[-2:]
    rows, columns = steps(m), steps(n)

    def step(a: Any, k: Any) -> tuple[Any, Any]:
        size = ew.where(ew.greater_equal(rows, k), ew.absolute(column(a, k)), -1.0)
        p = movement.expand_dims(reduce.argmax(size, axis=1), 1)
        order = ew.where(ew.equal(rows, k), p, ew.where(ew.equal(rows, p), k, rows))
        a = indexing.take_along_axis(
            a, movement.broadcast_to(movement.expand_dims(order, 2), a.shape), axis=1
        )
        top = row(a, k)
        pivot = movement.expand_dims(indexing.take(top, k, axis=1), 1)
        below, right = ew.greater(rows, k), ew.greater(columns, k)
        divided = ew.logical_and(below, ew.not_equal(pivot, 0))
        factors = ew.where(divided, ew.true_divide(column(a, k), safe(pivot, ew.not_equal(pivot, 0))), 0.0)
        rest = ew.subtract(a, outer(factors, ew.where(right, top, 0.0)))
        there = ew.logical_and(
            movement.expand_dims(divided, 2), movement.expand_dims(ew.equal(columns, k), (0, 1))
        )
        return ew.where(there, movement.expand_dims(factors, 2), rest), movement.squeeze(p, 1)

    a, pivots = control.scan(step, flat(x), steps(min(m, n)))
    pivots = movement.reshape(movement.transpose(pivots), (*x.shape[:-2], min(m, n)))
    return movement.reshape(a, x.shape), pivots


@lu_op.samples
def _lu_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape in ((2, 3, 3), (4, 3), (2, 5)):
        yield Sample((rng.normal(size=shape).astype("float32"),), {}, f"{shape}")


def permuted(b: Any, pivots: Any, count: int) -> Any:
    """The rows of b (b, m, k) after the swaps of an LU factorization (b, count)."""
    rows = steps(b.shape[1])

    def step(order: Any, given: Any) -> tuple[Any, Any]:
        k, p = given
        p = movement.expand_dims(p, 1)
        there = ew.where(ew.equal(rows, k), p, ew.where(ew.equal(rows, p), k, rows))
        return indexing.take_along_axis(order, there, axis=1), None

    first = movement.broadcast_to(movement.expand_dims(rows, 0), b.shape[:2])
    order, _ = control.scan(step, first, (steps(count), movement.transpose(pivots)))
    return indexing.take_along_axis(b, movement.broadcast_to(movement.expand_dims(order, 2), b.shape), axis=1)


# --- triangular systems -------------------------------------------------------------------------------------

solve_triangular_op = Op("solve_triangular")
"""X of A X = B, A (..., n, n) with one triangle that counts, B (..., n, k); unit: ones on A's diagonal."""


def _solved_type(op: str, a: TensorType, b: TensorType) -> TensorType:
    n, _ = matrix_of(op, a, square=True)
    if len(b.shape) != len(a.shape) or b.shape[:-2] != a.shape[:-2] or b.shape[-2] != n:
        raise ShapeError(
            message(f"{op}: Incompatible shapes between `a` and `b`.", received=f"{a!r} and {b!r}")
        )
    return b


@solve_triangular_op.infer
def _triangular_infer(a: TensorType, b: TensorType, *, lower: bool, unit: bool) -> TensorType:
    return _solved_type("solve_triangular", a, b)


def _triangle(a: Any, lower: bool, unit: bool) -> Any:
    rows, columns = movement.expand_dims(steps(a.shape[-1]), 1), steps(a.shape[-1])
    kept = ew.greater_equal(rows, columns) if lower else ew.less_equal(rows, columns)
    a = ew.where(kept, a, 0.0)
    return ew.where(ew.equal(rows, columns), 1.0, a) if unit else a


@solve_triangular_op.reference
def _triangular_reference(a: np.ndarray, b: np.ndarray, *, lower: bool, unit: bool) -> np.ndarray:
    t = _triangle(a, lower, unit).astype(np.float64)
    singular = np.any(np.diagonal(t, axis1=-2, axis2=-1) == 0, axis=-1)[..., None, None]
    t = np.where(singular, np.eye(t.shape[-1]), t)
    return np.where(singular, np.nan, np.linalg.solve(t, b.astype(np.float64)))


@solve_triangular_op.vjp
def _triangular_vjp(dy: Any, y: Any, a: Any, b: Any, *, lower: bool, unit: bool) -> tuple[Any, Any]:
    db = solve_triangular_op(transposed(a), dy, lower=not lower, unit=unit)
    da = _triangle(products.matmul(ew.negative(db), transposed(y)), lower, False)
    if unit:
        da = ew.where(create.eye(a.shape[-1], dtype="bool"), 0.0, da)
    return da, db


@solve_triangular_op.decompose
def _triangular_decompose(a: Any, b: Any, *, lower: bool, unit: bool) -> Any:
    matrix, rows = flat(_triangle(a, lower, unit)), steps(a.shape[-1])

    def step(x: Any, k: Any) -> tuple[Any, Any]:
        own = column(matrix, k)
        solved = ew.true_divide(row(x, k), indexing.take(own, movement.reshape(k, (1,)), axis=1))
        here = movement.expand_dims(ew.equal(rows, k), (0, 2))
        left = ew.greater(rows, k) if lower else ew.less(rows, k)
        x = ew.subtract(x, outer(ew.where(left, own, 0.0), solved))
        return ew.where(here, movement.expand_dims(solved, 1), x), None

    x, _ = control.scan(step, flat(b), steps(a.shape[-1]), reverse=not lower)
    return movement.reshape(x, b.shape)


@solve_triangular_op.samples
def _triangular_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape, lower, unit in (((2, 3, 3), True, False), ((4, 4), False, False), ((3, 3), True, True)):
        a = (rng.normal(size=shape) * 0.3 + 2 * np.eye(shape[-1])).astype("float32")
        b = rng.normal(size=(*shape[:-1], 2)).astype("float32")
        yield Sample((a, b), {"lower": lower, "unit": unit}, f"{shape}")


# --- square systems -----------------------------------------------------------------------------------------

solve_op = Op("solve")
"""X of A X = B, A (..., n, n), B (..., n, k)."""


@solve_op.infer
def _solve_infer(a: TensorType, b: TensorType) -> TensorType:
    return _solved_type("solve", a, b)


@solve_op.reference
def _solve_reference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    wide = a.astype(np.float64)
    singular = (np.linalg.det(wide) == 0)[..., None, None]
    found = np.linalg.solve(np.where(singular, np.eye(a.shape[-1]), wide), b.astype(np.float64))
    return np.where(singular, np.nan, found)


@solve_op.vjp
def _solve_vjp(dy: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    db = solve_op(transposed(a), dy)
    return products.matmul(ew.negative(db), transposed(y)), db


@solve_op.decompose
def _solve_decompose(a: Any, b: Any) -> Any:
    packed, pivots = lu_op(flat(a))
    x = permuted(flat(b), pivots, a.shape[-1])
    x = solve_triangular_op(packed, x, lower=True, unit=True)
    return movement.reshape(solve_triangular_op(packed, x, lower=False, unit=False), b.shape)


@solve_op.samples
def _solve_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape, k in (((2, 3, 3), 2), ((4, 4), 1)):
        a = (rng.normal(size=shape) + 3 * np.eye(shape[-1])[::-1]).astype("float32")
        yield Sample((a, rng.normal(size=(*shape[:-1], k)).astype("float32")), {}, f"{shape}")


# --- determinants -------------------------------------------------------------------------------------------

slogdet_op = Op("slogdet", outputs=2)
"""The sign and the logarithm of the absolute value of the determinant."""


@slogdet_op.infer
def _slogdet_infer(x: TensorType) -> tuple[TensorType, TensorType]:
    matrix_of("slogdet", x, square=True)
    y = TensorType(x.shape[:-2], x.dtype)
    return y, y


@slogdet_op.reference
def _slogdet_reference(x: np.ndarray) -> tuple[Any, Any]:
    sign, log = np.linalg.slogdet(x.astype(np.float64))
    return sign, log


@slogdet_op.vjp
def _slogdet_vjp(dy: Any, y: Any, x: Any) -> tuple[Any]:
    return (ew.multiply(movement.expand_dims(dy[1], (-1, -2)), transposed(inverse(x))),)


def inverse(x: Any) -> Any:
    """The inverse of each matrix."""
    one = create.eye(x.shape[-1], dtype=dtypes.standardize(x.dtype))
    return solve_op(x, movement.broadcast_to(one, x.shape))


def factors_of(x: Any) -> tuple[Any, Any]:
    """The diagonal of U in x = P L U, and the sign of the permutation."""
    packed, pivots = lu_op(x)
    n = x.shape[-1]
    diagonal = reduce.sum(ew.where(create.eye(n, dtype="bool"), packed, 0.0), axis=-1)
    swaps = reduce.sum(ew.cast(ew.not_equal(pivots, steps(n)), "int32"), axis=-1)
    return diagonal, ew.cast(ew.subtract(1, ew.multiply(ew.mod(swaps, 2), 2)), dtypes.standardize(x.dtype))


@slogdet_op.decompose
def _slogdet_decompose(x: Any) -> tuple[Any, Any]:
    diagonal, sign = factors_of(x)
    return ew.multiply(sign, reduce.prod(ew.sign(diagonal), axis=-1)), reduce.sum(
        ew.log(ew.absolute(diagonal)), axis=-1
    )


det_op = Op("det")


@det_op.infer
def _det_infer(x: TensorType) -> TensorType:
    matrix_of("det", x, square=True)
    return TensorType(x.shape[:-2], x.dtype)


@det_op.reference
def _det_reference(x: np.ndarray) -> Any:
    return np.linalg.det(x.astype(np.float64))


@det_op.vjp
def _det_vjp(dy: Any, y: Any, x: Any) -> tuple[Any]:
    if x.shape[-1] in COFACTORS:  # those of a singular matrix, too
        return (ew.multiply(movement.expand_dims(dy, (-1, -2)), COFACTORS[x.shape[-1]](x)),)
    return (ew.multiply(movement.expand_dims(ew.multiply(dy, y), (-1, -2)), transposed(inverse(x))),)


def _turned(x: Any, down: int, across: int) -> Any:
    """x with its rows and columns moved around, so that element (0, 0) is that at (down, across)."""
    rows, columns = ((np.arange(x.shape[-1]) + by) % x.shape[-1] for by in (down, across))
    return indexing.take(indexing.take(x, rows, axis=-2), columns, axis=-1)


COFACTORS: dict[int, Any] = {
    1: lambda x: create.ones_like(x),
    2: lambda x: ew.multiply(_turned(x, 1, 1), ew.as_tensor([[1, -1], [-1, 1]], dtypes.standardize(x.dtype))),
    3: lambda x: ew.subtract(
        ew.multiply(_turned(x, 1, 1), _turned(x, 2, 2)), ew.multiply(_turned(x, 1, 2), _turned(x, 2, 1))
    ),
}


@det_op.decompose
def _det_decompose(x: Any) -> Any:
    diagonal, sign = factors_of(x)
    return ew.multiply(sign, reduce.prod(diagonal, axis=-1))


@det_op.onnx
def _det_onnx(g: Any, x: str) -> str:
    return g.cast(g.node("Det", g.cast(x, "float32")), g.dtype(x))  # onnxruntime's is of float32


def _square_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape in ((2, 3, 3), (1, 1)):
        yield Sample(((rng.normal(size=shape) + 2 * np.eye(shape[-1])).astype("float32"),), {}, f"{shape}")


slogdet_op.samples(_square_samples)
det_op.samples(_square_samples)
