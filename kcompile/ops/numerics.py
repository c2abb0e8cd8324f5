"""NumPy's smaller functions, written with other ops."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.core.errors import ArgumentError, DTypeError, ShapeError, message
from kcompile.core.symbolic import product
from kcompile.ir.graph import Value
from kcompile.ops import arrange, create, cutting, joining, movement, products, reduce, subscript
from kcompile.ops import elementwise as ew
from kcompile.ops import index as indexing
from kcompile.ops.checks import check_rank

SHORT_SEQUENCE = 16  # elements that are compared with all values rather than searched


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """x limited to [x_min, x_max]; None is no limit.

    >>> clip(np.array([-1.0, 0.5, 2.0]), 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    x = ew.as_tensor(x)
    dtype = ew.number_of(ew.common_dtype(x, *(bound for bound in (x_min, x_max) if bound is not None)))
    x = ew.as_tensor(x, dtype)
    x = x if x_min is None else ew.maximum(x, ew.as_tensor(x_min, dtype))
    return x if x_max is None else ew.minimum(x, ew.as_tensor(x_max, dtype))


def isclose(x1: Any, x2: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """|x1 - x2| <= atol + rtol |x2|; infinities equal themselves, NaNs only if `equal_nan`."""
    a, b = ew.operands(x1, x2, dtype=ew.float_of(ew.common_dtype(x1, x2)))
    bound = ew.add(ew.multiply(ew.absolute(b), rtol), atol)
    largest = dtypes.largest(dtypes.standardize(a.dtype))  # nothing is close to an infinity
    result = ew.logical_or(ew.less_equal(ew.absolute(a - b), ew.minimum(bound, largest)), ew.equal(a, b))
    return ew.logical_or(result, ew.logical_and(ew.isnan(a), ew.isnan(b))) if equal_nan else result


def allclose(x1: Any, x2: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Are all elements close?"""
    return reduce.all(isclose(x1, x2, rtol, atol, equal_nan))


def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """Differences of neighbours along `axis`, taken n times.

    >>> diff(np.array([1, 4, 9])).tolist()
    [3, 5]
    """
    if n < 0:
        raise ValueError(f"diff: the order `n` must not be negative. Received: n={n}")
    a = ew.as_tensor(a)
    k = movement.check_axis("diff", axis, len(a.shape))
    for _ in range(n):
        first = symbolic.minimum(1, a.shape[k])  # nothing has no differences
        d = a.shape[k] - first
        after, before = arrange.part(a, k, first, d), arrange.part(a, k, 0, d)
        a = (
            ew.not_equal(after, before)
            if dtypes.standardize(a.dtype) == "bool"
            else ew.subtract(after, before)
        )
    return a


def outer(x1: Any, x2: Any) -> Any:
    """Products of all pairs of elements of two (flattened) tensors."""
    a, b = ew.operands(x1, x2)
    return ew.multiply(movement.reshape(a, (-1, 1)), movement.reshape(b, (1, -1)))


def inner(x1: Any, x2: Any) -> Any:
    """Sum of products over the last axes."""
    a, b = ew.operands(x1, x2)
    if len(a.shape) == 0 or len(b.shape) == 0:
        return ew.multiply(a, b)
    return products.tensordot(a, b, axes=([-1], [-1]))


def vdot(x1: Any, x2: Any) -> Any:
    """Sum of products of all elements."""
    return inner(arrange.ravel(x1), arrange.ravel(x2))


def kron(x1: Any, x2: Any) -> Any:
    """Kronecker product."""
    a, b = ew.operands(x1, x2)
    rank = builtins.max(len(a.shape), len(b.shape))
    left, right = ((1,) * (rank - len(t.shape)) + tuple(t.shape) for t in (a, b))
    wide_a = movement.reshape(a, [e for d in left for e in (d, 1)])
    wide_b = movement.reshape(b, [e for d in right for e in (1, d)])
    return movement.reshape(ew.multiply(wide_a, wide_b), [p * q for p, q in zip(left, right, strict=True)])


def cross(
    x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """Cross product of vectors of 3 (or 2) elements, which lie on `axisa` and `axisb`."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = ew.operands(x1, x2)
    a, b = arrange.moveaxis(a, axisa, -1), arrange.moveaxis(b, axisb, -1)
    if not {a.shape[-1], b.shape[-1]} <= {2, 3}:
        raise ShapeError(message("cross: vectors have 2 or 3 elements.", received=f"{a.shape} and {b.shape}"))
    flat = a.shape[-1] == b.shape[-1] == 2
    (p, q, r), (u, v, w) = (_three(t) for t in (a, b))
    last = ew.subtract(ew.multiply(p, v), ew.multiply(q, u))
    if flat:
        return last
    first = ew.subtract(ew.multiply(q, w), ew.multiply(r, v))
    second = ew.subtract(ew.multiply(r, u), ew.multiply(p, w))
    return joining.stack([first, second, last], axis=axisc)


def _three(t: Any) -> tuple[Any, Any, Any]:
    parts = [subscript.getitem(t, (..., k)) for k in range(t.shape[-1])]
    p, q, r = parts if len(parts) == 3 else (*parts, create.zeros_like(parts[0]))
    return p, q, r


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Sum of a diagonal."""
    return reduce.sum(arrange.diagonal(x, offset, axis1, axis2), axis=-1)


def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """Mean over `axis`, weighted.

    >>> average(np.array([1.0, 3.0]), weights=np.array([3.0, 1.0])).item()
    1.5
    """
    if weights is None:
        return reduce.mean(x, axis=axis)
    x, w = ew.operands(x, weights, dtype=ew.float_of(ew.common_dtype(x, weights)))
    if axis is None and len(w.shape) != len(x.shape):
        raise ArgumentError("Axis must be specified when shapes of a and weights differ.")
    if len(w.shape) != len(x.shape):  # weights of one axis
        k = movement.check_axis("average", axis, len(x.shape))
        w = movement.reshape(w, [d if n == k else 1 for n, d in enumerate(x.shape)])
    w = movement.broadcast_to(w, x.shape)
    return ew.true_divide(reduce.sum(ew.multiply(x, w), axis=axis), reduce.sum(w, axis=axis))


def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest less smallest element over `axis`."""
    return ew.subtract(reduce.max(x, axis, keepdims), reduce.min(x, axis, keepdims))


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Integral of y over `axis` by the trapezoidal rule, at the points x or at distance dx."""
    y = ew.as_tensor(y, ew.float_of(ew.common_dtype(y)))
    y = arrange.moveaxis(y, axis, -1)
    n = y.shape[-1] - 1
    width = dx
    if x is not None:
        x = ew.as_tensor(x, ew.number_of(ew.common_dtype(x)))
        width = diff(x) if len(x.shape) == 1 else diff(arrange.moveaxis(x, axis, -1))
    both = ew.add(arrange.part(y, -1, 1, n), arrange.part(y, -1, 0, n))
    areas = both if isinstance(width, (int, float)) and width == 1 else ew.multiply(both, width)
    return ew.multiply(reduce.sum(areas, axis=-1), 0.5)


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """For each element the choice of the first condition that holds, else `default`."""
    if not isinstance(condlist, (list, tuple)) or not isinstance(choicelist, (list, tuple)):
        raise ValueError(
            "select: condlist and choicelist must be lists. Received: "
            f"{type(condlist).__name__} and {type(choicelist).__name__}"
        )
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(
            "select: condlist and choicelist must have the same length, at least 1. Received: "
            f"{len(condlist)} and {len(choicelist)}"
        )
    dtype = ew.common_dtype(*choicelist, default)
    result = ew.as_tensor(default, dtype)
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = ew.where(condition, ew.as_tensor(choice, dtype), result)
    return result


def nan_to_num(x: Any, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """x with NaN and infinities replaced, these by the largest and smallest number unless given."""
    x = ew.as_tensor(x)
    dtype = ew.dtype_of(x)
    if dtype is None or not dtypes.is_float(dtype):
        return x
    top = dtypes.largest(dtype) if posinf is None else posinf
    bottom = -dtypes.largest(dtype) if neginf is None else neginf
    x = ew.where(ew.isnan(x), ew.as_tensor(nan, dtype), x)
    x = ew.where(ew.equal(x, float("inf")), ew.as_tensor(top, dtype), x)
    return ew.where(ew.equal(x, float("-inf")), ew.as_tensor(bottom, dtype), x)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Powers of each element: x^(n-1) ... x, 1."""
    x = ew.as_tensor(x)
    check_rank("vander", "x", x, 1, 1)
    count = x.shape[0] if N is None else N
    if isinstance(count, int) and count < 0:
        raise ValueError(f"vander: Argument `N` must not be negative. Received: N={N}")
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    return ew.power(movement.expand_dims(x, -1), powers.astype(ew.dtype_of(x)))


def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Which elements of x1 occur in x2."""
    a, b = ew.operands(x1, x2)
    hits = reduce.any(ew.equal(movement.expand_dims(a, -1), movement.reshape(b, (-1,))), axis=-1)
    return ew.logical_not(hits) if invert else hits


def digitize(x: Any, bins: Any) -> Any:
    """How many of the ascending `bins` each element has reached, int32; of descending ones, how many it is
    below of.

    >>> digitize(np.array([0.5, 2.0]), np.array([0.0, 1.0, 2.0])).tolist()
    [1, 3]
    """
    a, b = ew.operands(x, bins)
    check_rank("digitize", "bins", b, 1, 1)
    a = movement.expand_dims(a, -1)
    reached = ew.logical_not(ew.less(a, b))  # NaN reaches all, as in NumPy
    if b.shape[0] not in (0, 1):
        ends = (subscript.getitem(b, k) for k in (0, -1))
        reached = ew.where(ew.greater(*ends), ew.greater(b, a), reached)
    return reduce.sum(ew.cast(reached, "int32"), axis=-1)


def _before(side: str, a: Any, value: Any) -> Any:
    """Does an element of a sequence stand before the place of a value? NaN stands last."""
    found = ew.less(a, value) if side == "left" else ew.less_equal(a, value)
    if not dtypes.is_float(ew.common_dtype(value)):
        return found
    last = ew.not_equal(value, value)
    return ew.logical_or(found, ew.logical_and(last, ew.equal(a, a)) if side == "left" else last)


def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    """Where to insert `values` so that the sequence (1-D) stays ascending, NaN behind all numbers; int32."""
    if side not in ("left", "right"):
        raise ValueError(f"Invalid side: {side!r}. Expected 'left' or 'right'.")
    a, b = ew.operands(values, sorted_sequence)
    if len(b.shape) != 1:
        raise ShapeError(message("searchsorted: the sequence must be 1-D.", received=f"shape {b.shape}"))
    size = b.shape[0]
    if isinstance(size, int) and size < SHORT_SEQUENCE:
        return reduce.sum(ew.cast(_before(side, b, movement.expand_dims(a, -1)), "int32"), axis=-1)
    # Binary search: as long a part of the sequence as goes before the value, by powers of two.
    found: Any = ew.as_tensor(0, "int32")
    for power in reversed(range(31 if not isinstance(size, int) else size.bit_length())):
        further = ew.add(found, np.int32(1 << power))
        fits = ew.less_equal(further, ew.as_tensor(size, "int32"))
        last = indexing.take(b, ew.subtract(ew.where(fits, further, 1), 1), axis=0)
        found = ew.where(ew.logical_and(fits, _before(side, last, a)), further, found)
    return found


def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """How often (or with what sum of `weights`) each number from 0 on occurs.

    Shapes:  x (n,) or (b, n) -> (m,) or (b, m).
    Args:    minlength: the least length of the result; in a trace, where numbers are not known, its length.
             Negative numbers count as 0, as in JAX.

    >>> bincount(np.array([1, 3, 1])).tolist(), bincount(np.array([0, 1]), weights=[0.5, 2.0]).tolist()
    ([0, 2, 0, 1], [0.5, 2.0])
    """
    create.no_sparse("bincount", sparse)
    x = ew.as_tensor(x)
    if dtypes.is_float(dtypes.standardize(x.dtype)):
        raise DTypeError(message("bincount: `x` must hold integers.", received=f"{x.dtype}"))
    length = int(minlength)
    if not isinstance(x, Value) and x.size:
        length = builtins.max(length, int(x.max()) + 1)
    if isinstance(x, Value) and length < 1:
        raise ValueError("bincount: in a trace numbers are not known; give the length as `minlength`.")
    dtype = "int32" if weights is None else ew.common_dtype(weights)
    added = create.ones_like(x, dtype) if weights is None else ew.as_tensor(weights, dtype)
    row = ew.maximum(ew.cast(x, "int32"), 0)
    if len(x.shape) == 1:
        return indexing.scatter_add_rows(ew.minimum(row, length), added, length + 1)[:length]
    # one table for all rows of the batch, and a row behind it for numbers beyond a row's part of it
    count = product(x.shape[:-1])
    first = movement.reshape(ew.multiply(create.iota(count, "int32"), length), (*x.shape[:-1], 1))
    row = ew.where(ew.less(row, length), ew.add(row, first), ew.as_tensor(count * length, "int32"))
    flat = indexing.scatter_add_rows(
        movement.reshape(row, (-1,)), movement.reshape(added, (-1,)), count * length + 1
    )
    return movement.reshape(flat[: count * length], (*x.shape[:-1], length))


def psnr(x1: Any, x2: Any, max_val: Any) -> Any:
    """Peak signal-to-noise ratio of two images, in decibels."""
    a, b = ew.operands(x1, x2, dtype=ew.float_of(ew.common_dtype(x1, x2)))
    if tuple(a.shape) != tuple(b.shape):
        raise ShapeError(
            message("psnr: both images must have one shape.", received=f"{a.shape} and {b.shape}")
        )
    error = reduce.mean(ew.square(ew.subtract(a, b)))
    peak = ew.log10(ew.as_tensor(float(max_val), ew.common_dtype(a)))
    return ew.subtract(ew.multiply(peak, 20.0), ew.multiply(ew.log10(error), 10.0))


def cdist(x: Any, y: Any) -> Any:
    """Euclidean distances between the rows of x (..., n, d) and y (..., m, d)."""
    a, b = ew.operands(x, y, dtype=ew.float_of(ew.common_dtype(x, y)))
    check_rank("cdist", "x", a, 2)
    check_rank("cdist", "y", b, 2)
    gaps = ew.subtract(movement.expand_dims(a, -2), movement.expand_dims(b, -3))
    return ew.sqrt(reduce.sum(ew.square(gaps), axis=-1))


def corrcoef(x: Any) -> Any:
    """Correlations between the rows of x; of one row with itself, a number."""
    x = ew.as_tensor(x, ew.float_of(ew.common_dtype(x)))
    if len(x.shape) < 2:
        x = movement.reshape(x, (1, -1))
    centred = ew.subtract(x, reduce.mean(x, axis=-1, keepdims=True))
    covariance = products.matmul(centred, movement.transpose(centred))
    spread = ew.sqrt(arrange.diagonal(covariance))
    found = clip(ew.true_divide(covariance, outer(spread, spread)), -1.0, 1.0)
    return movement.reshape(found, ()) if x.shape[0] == 1 else found


def correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    """Cross-correlation of two 1-D tensors; of ints in the default float."""
    a, b = ew.operands(x1, x2, dtype=ew.float_of(ew.common_dtype(x1, x2)))
    check_rank("correlate", "x1", a, 1, 1)
    check_rank("correlate", "x2", b, 1, 1)
    n, m = a.shape[0], b.shape[0]
    if not isinstance(n, int) or not isinstance(m, int):
        raise ShapeError(
            message("correlate: the dimensions must be known.", received=f"{a.shape}, {b.shape}")
        )
    edge = {"valid": 0, "full": m - 1, "same": m // 2}
    if mode not in edge:
        raise ValueError(f"Invalid mode: {mode!r}. Expected 'valid', 'same' or 'full'.")
    if n < m:
        return cutting.flip(correlate(b, a, mode))
    after = m - 1 - m // 2 if mode == "same" else edge[mode]
    a = cutting.pad(a, [(edge[mode], after)])
    at = np.arange(a.shape[0] - m + 1, dtype="int32")[:, None] + np.arange(m, dtype="int32")
    return products.matmul(indexing.take(a, at), b)


def _window(function: Any, text: str) -> Any:
    def call(x: int) -> Any:
        return function(int(x)).astype(dtypes.numpy_dtype(dtypes.standardize(None)))

    call.__name__ = call.__qualname__ = function.__name__
    call.__doc__ = text
    return call


bartlett = _window(np.bartlett, "A triangular window of x points.")
blackman = _window(np.blackman, "Blackman's window of x points.")
hamming = _window(np.hamming, "Hamming's window of x points.")
hanning = _window(np.hanning, "Hann's window of x points.")


def kaiser(x: int, beta: float) -> Any:
    """Kaiser's window of x points."""
    return np.kaiser(int(x), beta).astype(dtypes.numpy_dtype(dtypes.standardize(None)))
