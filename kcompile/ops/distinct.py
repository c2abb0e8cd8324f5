"""`unique`: the different elements of a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.core.errors import ArgumentError, ShapeError, message
from kcompile.ir.graph import Value
from kcompile.ops import (
    arrange,
    control,
    create,
    cumulative,
    joining,
    movement,
    numerics,
    order,
    reduce,
    scatter,
    subscript,
)
from kcompile.ops import elementwise as ew
from kcompile.ops import index as indexing


def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The different elements of x, ascending; with `axis` the different slices along it.

    Args:    sorted: for Keras's signature; they always are. return_index, return_inverse, return_counts: also
             where each occurs first, which of them each element of x is, and how often each occurs (int32).
             size: so many, cut or filled up with `fill_value` (the smallest unless given; counts with 0). A
             compiled model needs it, because its shapes cannot depend on numbers.
    Returns: the elements, or a tuple of them and what was asked for. Every NaN is different.

    >>> unique(np.array([3, 1, 1])).tolist()
    [1, 3]
    """
    x = ew.as_tensor(x)
    wanted = (return_index, return_inverse, return_counts)
    if size and 0 in (x.shape if axis is None else (x.shape[axis],)):
        parts = _of_nothing(x, axis, size, fill_value)
    elif isinstance(x, Value):
        parts = _traced(x, axis, size, fill_value)
    else:
        parts = _of_array(x, axis, size, fill_value)
    kept = [parts[0], *(part for part, asked in zip(parts[1:], wanted, strict=True) if asked)]
    return tuple(kept) if len(kept) > 1 else kept[0]


def _of_nothing(x: Any, axis: int | None, size: int, fill: Any) -> list[Any]:
    if fill is None:
        raise ArgumentError(
            f"unique: of no elements `size` needs a `fill_value`. Received: {x.shape=}, {size=}"
        )
    along = None if axis is None else axis % len(x.shape)
    shape = (size,) if along is None else tuple(size if k == along else d for k, d in enumerate(x.shape))
    places = create.zeros(x.shape if axis is None else (0,), "int32")
    none = create.zeros((size,), "int32")
    return [create.full(shape, fill, dtypes.standardize(x.dtype)), none, places, none]


def _of_array(x: np.ndarray, axis: int | None, size: int | None, fill: Any) -> list[np.ndarray]:
    y, first, places, counts = np.unique(
        x, return_index=True, return_inverse=True, return_counts=True, axis=axis, equal_nan=False
    )
    places = places.reshape(x.shape if axis is None else (-1,))
    rest = [part.astype(np.int32) for part in (first, places, counts)]
    if size is None:
        return [y, *rest]
    along = 0 if axis is None else axis
    missing = max(size - y.shape[along], 0)
    y = np.take(y, np.arange(min(size, y.shape[along])), axis=along)
    if missing:
        shape = [missing if k == along % y.ndim else d for k, d in enumerate(y.shape)]
        filling = np.take(y, [0] * missing, axis=along) if fill is None else np.full(shape, fill, y.dtype)
        y = np.concatenate([y, filling], axis=along)
    return [
        y,
        np.concatenate([rest[0][:size], np.full(missing, rest[0][0], np.int32)]),
        rest[1],
        np.concatenate([rest[2][:size], np.zeros(missing, np.int32)]),
    ]


def _traced(x: Any, axis: int | None, size: int | None, fill: Any) -> list[Any]:
    """Sort, number the runs of equal elements, and look up where each run begins."""
    if size is None:
        raise ShapeError(
            message(
                "unique: in a compiled model the number of different elements is not known.",
                received=f"{x.type!r}",
                hint="give `size`",
            )
        )
    moved = movement.reshape(x, (-1,)) if axis is None else arrange.moveaxis(x, axis, 0)
    rows = movement.reshape(moved, (moved.shape[0], symbolic.product(moved.shape[1:])))
    ranks = _ascending(rows)
    ascending = indexing.take(rows, ranks, axis=0)
    after, before = (
        subscript.getitem(ascending, slice(1, None)),
        subscript.getitem(ascending, slice(None, -1)),
    )
    starts = ew.cast(reduce.any(ew.not_equal(after, before), axis=1), "int32")
    runs = joining.concatenate([create.zeros((1,), "int32"), cumulative.cumsum(starts, axis=0)], axis=0)
    count = ew.add(subscript.getitem(runs, -1), 1)
    numbers = np.arange(size, dtype="int32")
    known = ew.less(numbers, count)
    begins = numerics.searchsorted(runs, numbers)
    begins = ew.where(known, begins, 0)
    y = indexing.take(ascending, begins, axis=0)
    if fill is not None:
        y = ew.where(movement.reshape(known, (-1, 1)), y, ew.as_tensor(fill, dtypes.standardize(x.dtype)))
    y = arrange.moveaxis(movement.reshape(y, (size, *moved.shape[1:])), 0, axis or 0)
    places = movement.reshape(ranks, (-1, 1))
    inverse = scatter.scatter(places, runs, (rows.shape[0],))
    inverse = movement.reshape(inverse, x.shape) if axis is None else inverse
    ends = numerics.searchsorted(runs, numbers, side="right")
    counts = ew.where(known, ew.subtract(ends, begins), 0)
    return [y, indexing.take(ranks, begins, axis=0), inverse, counts]


def _ascending(rows: Any) -> Any:
    """Where rows of a matrix stand in ascending order, which their first elements decide, then the second."""
    columns = rows.shape[1]
    if columns == 1:
        return order.argsort(movement.reshape(rows, (-1,)))

    def by_column(k: Any, ranks: Any) -> Any:
        column = indexing.take(rows, ew.subtract(columns - 1, k), axis=1)
        return indexing.take(ranks, order.argsort(indexing.take(column, ranks, axis=0)), axis=0)

    return control.fori_loop(0, columns, by_column, create.iota(rows.shape[0]))
