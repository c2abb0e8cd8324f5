"""The product of all other factors, without a division: the slope of a product.

Factors are multiplied in pairs, pairs of pairs, and so on. The others of a factor are its partner and the
others of their product. A zero is a factor like any other, slopes of slopes come out by the same rules, and
what overflows in one order seldom does in this one.
"""

from __future__ import annotations

from typing import Any

from kcompile.core import symbolic
from kcompile.core.symbolic import product
from kcompile.ops import create, cutting, movement, reduce
from kcompile.ops import elementwise as ew

BLOCK = 32  # an extent that is known only at run time is halved in blocks of so many
LEVELS = 3  # of such blocks; of a million factors 31 are left


def other_factors(x: Any, axes: tuple[int, ...]) -> Any:
    """For each element of x the product of all the others over `axes`, in x's shape."""
    if 0 in x.shape:
        return x
    kept = [k for k in range(len(x.shape)) if k not in axes]
    order = (*axes, *kept)
    rows = movement.transpose(x, order)
    rows = movement.reshape(rows, (product(x.shape[a] for a in axes), *(x.shape[k] for k in kept)))
    others = movement.reshape(_others(rows, LEVELS), tuple(x.shape[k] for k in order))
    others = movement.transpose(others, tuple(order.index(k) for k in range(len(order))))
    # A zero times what has overflowed would be NaN.
    zeros = ew.cast(ew.equal(x, 0), "int32")
    beside_zero = ew.greater(ew.subtract(reduce.sum(zeros, axis=axes, keepdims=True), zeros), 0)
    finite = reduce.all(ew.isfinite(x), axis=axes, keepdims=True)
    overflown = ew.logical_and(ew.isnan(others), ew.logical_and(beside_zero, finite))
    return ew.where(overflown, ew.as_tensor(0, x.dtype), others)


def _others(x: Any, levels: int) -> Any:
    """The others of each of x (n, ...) along its first axis."""
    n = x.shape[0]
    if isinstance(n, int) and n <= 1:
        return movement.broadcast_to(ew.as_tensor(1, x.dtype), x.shape)
    if isinstance(n, int):
        return _joined(x, 2, -(-n // 2), levels)
    if levels == 0:
        return _one_by_one(x)
    return _joined(x, BLOCK, symbolic.floordiv(n + (BLOCK - 1), BLOCK), levels - 1)


def _one_by_one(x: Any) -> Any:
    """The others of each by itself, n * n products: for few, of which it is not known how few."""
    n, rest = x.shape[0], x.shape[1:]
    row, column = (movement.reshape(create.arange(n), shape) for shape in ((n, 1), (1, n)))
    own = movement.reshape(ew.equal(row, column), (n, n, *(1 for _ in rest)))
    return reduce.prod(ew.where(own, ew.as_tensor(1, x.dtype), movement.expand_dims(x, 0)), axis=1)


def _joined(x: Any, parts: int, size: Any, levels: int) -> Any:
    """x as so many parts of equal size, whose elements at one position are multiplied with each other."""
    n, rest = x.shape[0], x.shape[1:]
    none = (0,) * len(x.shape)
    padded = cutting.pad_op(x, before=none, after=(parts * size - n, *none[1:]), inner=none, value=1.0)
    grid = movement.reshape(padded, (parts, size, *rest))
    if parts == 2:
        inner, totals = cutting.flip(grid, 0), ew.multiply(*_halves(grid))
    else:
        inner, totals = _others(grid, 0), reduce.prod(grid, axis=0)
    outer = movement.expand_dims(_others(totals, levels), 0)
    whole = movement.reshape(ew.multiply(inner, outer), padded.shape)
    return cutting.slice_op(whole, start=none, size=x.shape, step=(1,) * len(x.shape))


def _halves(grid: Any) -> tuple[Any, Any]:
    shape = (1, *grid.shape[1:])
    rest, step = (0,) * (len(shape) - 1), (1,) * len(shape)
    parts = [cutting.slice_op(grid, start=(k, *rest), size=shape, step=step) for k in (0, 1)]
    first, second = (movement.reshape(p, shape[1:]) for p in parts)
    return first, second
