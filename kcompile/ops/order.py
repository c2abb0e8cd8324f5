"""Order along an axis: argsort, sort, top_k, quantiles.

A compiled program has a kernel that sorts rows (`ir.kernels.Sort`); all others are built on the order that it
finds. For short rows, and where the target has no such kernel, the decomposition counts for each element how
many others go before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ShapeError, message
from kcompile.core.symbolic import Int, product
from kcompile.ir.graph import Value
from kcompile.ir.op import Op, Sample, unwrap
from kcompile.ir.traits import Traits
from kcompile.ir.types import TensorType
from kcompile.ops import create, joining, movement, reduce, subscript
from kcompile.ops import elementwise as ew
from kcompile.ops import index as indexing

argsort_op = Op("argsort", traits=Traits(orders=True))


@argsort_op.infer
def _argsort_infer(x: TensorType, *, count: int | Int, descending: bool) -> TensorType:
    size = x.shape[-1]
    if isinstance(count, int) and isinstance(size, int) and not 0 <= count <= size:
        raise ShapeError(message(f"sort: {count} of {size} elements are not there.", received=f"{x!r}"))
    return TensorType((*x.shape[:-1], count), "int32")


@argsort_op.reference
def _argsort_reference(x: np.ndarray, *, count: int, descending: bool) -> np.ndarray:
    if not descending:
        return np.argsort(x, axis=-1, kind="stable")[..., :count]
    backwards = np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]  # equal elements keep their order
    return (x.shape[-1] - 1 - backwards)[..., :count]


@argsort_op.vjp
def _argsort_vjp(dy: Any, y: Any, x: Any, **_: Any) -> tuple[None]:
    return (None,)


@argsort_op.decompose
def _argsort_decompose(x: Any, *, count: int | Int, descending: bool) -> Any:
    size = x.shape[-1]
    own, other = movement.expand_dims(x, -1), movement.expand_dims(x, -2)
    before, after = _goes_before(other, own), _goes_before(own, other)
    if descending:
        before, after = after, before
    earlier = ew.less(create.iota(size), movement.expand_dims(create.iota(size), -1))
    tie = ew.logical_and(earlier, ew.logical_not(ew.logical_or(before, after)))
    rank = reduce.sum(ew.cast(ew.logical_or(before, tie), "int32"), axis=-1)
    here = ew.equal(movement.expand_dims(rank, -2), movement.expand_dims(create.iota(count), -1))
    return reduce.sum(ew.where(here, create.iota(size), 0), axis=-1)


def _goes_before(a: Any, b: Any) -> Any:
    """a < b, with NaN after all numbers."""
    less = ew.less(a, b)
    if not dtypes.is_float(dtypes.standardize(a.dtype)):
        return less
    return ew.logical_or(less, ew.logical_and(ew.isnan(b), ew.logical_not(ew.isnan(a))))


@argsort_op.onnx
def _argsort_onnx(g: Any, x: str, *, count: int | Int, descending: bool) -> str:
    _, indices = g.node("TopK", x, g.dims((count,)), axis=-1, largest=int(descending), sorted=1, outputs=2)
    return g.cast(indices, "int32")


@argsort_op.samples
def _argsort_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.integers(0, 4, (3, 7)).astype("float32")
    yield Sample((x,), {"count": 7, "descending": False}, "ties")
    yield Sample((x,), {"count": 3, "descending": True}, "largest")
    holes = np.array([2.0, np.nan, -np.inf, np.nan, np.inf, 2.0], "float32")
    yield Sample((holes,), {"count": 6, "descending": False}, "nan")
    yield Sample((holes,), {"count": 6, "descending": True}, "nan_descending")
    yield Sample((rng.integers(0, 9, (4,)).astype("uint8"),), {"count": 4, "descending": True}, "uint8")
    yield Sample((np.zeros((2, 0), "float32"),), {"count": 0, "descending": False}, "empty")


def _last(op: str, x: Any, axis: int | None) -> tuple[Any, int]:
    """x with `axis` moved to the end, and where it was."""
    from kcompile.ops import arrange

    x = ew.as_tensor(x)
    if axis is None or (op == "argsort" and not x.shape and axis == -1):
        return movement.reshape(x, (-1,)), 0
    k = movement.check_axis(op, axis, len(x.shape))
    return arrange.moveaxis(x, k, -1), k


def argsort(x: Any, axis: int | None = -1) -> Any:
    """Positions (int32) of the elements in ascending order; equal ones keep their order, NaN comes last.

    >>> argsort(np.array([3, 1, 2])).tolist()
    [1, 2, 0]
    """
    from kcompile.ops import arrange

    x, k = _last("argsort", x, axis)
    return arrange.moveaxis(argsort_op(x, count=x.shape[-1], descending=False), -1, k)


def sort(x: Any, axis: int | None = -1) -> Any:
    """Elements in ascending order along `axis`."""
    from kcompile.ops import arrange

    x, k = _last("sort", x, axis)
    order = argsort_op(x, count=x.shape[-1], descending=False)
    return arrange.moveaxis(indexing.take_along_axis(x, order, axis=-1), -1, k)


def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Any, Any]:
    """The k largest elements of the last axis, largest first, and their positions (int32).

    >>> [t.tolist() for t in top_k(np.array([3, 1, 2]), 2)]
    [[3, 2], [0, 2]]
    """
    x = ew.as_tensor(x)
    order = argsort_op(x, count=int(k), descending=True)
    return indexing.take_along_axis(x, order, axis=-1), order


def argpartition(x: Any, kth: int, axis: int = -1) -> Any:
    """Positions such that the kth element in ascending order is at its place; here all are."""
    x = ew.as_tensor(x)
    size = x.shape[movement.check_axis("argpartition", axis, len(x.shape))] if axis is not None else None
    if isinstance(size, int) and not -size <= kth < size:
        raise ValueError(f"argpartition: there is no element {kth} of the {size} along `axis`.")
    return argsort(x, axis)


def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Is the target among the k largest predictions of its row? Ties are in.

    A target below 0 counts from the end. One that is no class, or whose prediction is NaN, is in only where
    fewer than k predictions are above -infinity.

    Shapes:  targets (b,), predictions (b, classes) -> (b,).
    """
    predictions, targets = ew.as_tensor(predictions), ew.as_tensor(targets, "int32")
    classes = ew.as_tensor(predictions.shape[-1], "int32")
    targets = ew.where(ew.less(targets, 0), ew.add(targets, classes), targets)
    known = ew.logical_and(ew.greater_equal(targets, 0), ew.less(targets, classes))
    at = movement.expand_dims(ew.where(known, targets, 0), -1)
    own = indexing.take_along_axis(predictions, at, axis=-1)
    own = ew.where(ew.logical_and(movement.expand_dims(known, -1), ew.equal(own, own)), own, -math.inf)
    larger = reduce.sum(ew.cast(ew.greater(predictions, own), "int32"), axis=-1)
    return ew.less(larger, k)


# --- quantiles ----------------------------------------------------------------------------------------------

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The q-th quantiles (0 to 1) over `axis`; several q come first in the result. NaN if there is a NaN."""
    return _quantiles("quantile", x, q, axis, method, keepdims, False)


def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`quantile` of what is not NaN; NaN if there is nothing."""
    return _quantiles("nanquantile", x, q, axis, method, keepdims, True)


def _quantiles(op: str, x: Any, q: Any, axis: Any, method: str, keepdims: bool, skip: bool) -> Any:
    if method not in METHODS:
        raise ValueError(f"Invalid method: {method!r}. Expected one of {', '.join(METHODS)}.")
    x = ew.as_tensor(x)
    x = ew.as_tensor(x, ew.float_of(ew.common_dtype(x)))
    axes = reduce.normalize_axes(op, axis, len(x.shape))
    kept = tuple(k for k in range(len(x.shape)) if k not in axes)
    rows = movement.transpose(x, (*kept, *axes))
    count = product(x.shape[k] for k in axes)
    rows = sort(movement.reshape(rows, (*(x.shape[k] for k in kept), count)))
    # Positions have the precision of the elements, as in Keras: 0.1 of 11 elements is the second one.
    single = "float64" if dtypes.standardize(x.dtype) == "float64" else "float32"
    shares, extents = _shares(q, single)
    parts = [(_of_numbers if skip else _of_all)(rows, share, method) for share in shares]
    shape = (
        tuple(1 if k in axes else d for k, d in enumerate(x.shape))
        if keepdims
        else tuple(x.shape[k] for k in kept)
    )
    return movement.reshape(joining.stack(parts), (*extents, *shape))


def _shares(q: Any, dtype: str) -> tuple[list[Any], Any]:
    """The elements of q between 0 and 1, as numbers or as tensors of a trace; and q's shape."""
    q = unwrap(q)
    if not isinstance(q, Value):
        numbers = np.clip(np.asarray(q, dtype), 0, 1)
        return list(numbers.reshape(-1)), numbers.shape
    flat = movement.reshape(ew.minimum(ew.maximum(ew.as_tensor(q, dtype), 0), 1), (-1,))
    return [subscript.getitem(flat, k) for k in range(flat.shape[0])], q.shape


def _of_all(rows: Any, q: Any, method: str) -> Any:
    """A quantile of ascending rows. NaN sorts last, and makes the whole quantile NaN."""
    size = rows.shape[-1]
    if size == 0:
        return create.full(rows.shape[:-1], math.nan, rows.dtype)
    if not isinstance(size, int) or isinstance(q, Value):
        count = ew.as_tensor(movement.extent(size) if not isinstance(size, int) else size, "int32")
        mixed = _at_positions(rows, movement.broadcast_to(count, rows.shape[:-1]), q, method)
    else:
        position = float(q * q.dtype.type(size - 1))
        low, high = math.floor(position), math.ceil(position)
        a, b = subscript.getitem(rows, (..., low)), subscript.getitem(rows, (..., high))
        mixed = _mixed(a, b, _weight(position, method)) if low != high else a
    last = subscript.getitem(rows, (..., -1))
    return ew.where(ew.isnan(last), last, mixed)


def _weight(position: float, method: str) -> float:
    """How much of the upper neighbour a position between two elements takes; the lower one is the nearest of
    two that are equally near."""
    apart = position - math.floor(position)
    fixed = {"lower": 0.0, "higher": 1.0, "midpoint": 0.5, "nearest": float(apart > 0.5)}
    return fixed.get(method, apart)


def _mixed(a: Any, b: Any, weight: Any) -> Any:
    rest = 1.0 - weight if isinstance(weight, float) else ew.subtract(1.0, weight)
    return ew.add(ew.multiply(a, rest), ew.multiply(b, weight))


def _of_numbers(rows: Any, q: Any, method: str) -> Any:
    """A quantile of what is not NaN in ascending rows."""
    count = reduce.sum(ew.cast(ew.logical_not(ew.isnan(rows)), "int32"), axis=-1)
    found = _at_positions(rows, count, q, method)
    return ew.where(ew.equal(count, 0), math.nan, found)


def _at_positions(rows: Any, count: Any, q: Any, method: str) -> Any:
    """A quantile of the first `count` elements of each ascending row."""
    position = ew.multiply(ew.cast(ew.maximum(ew.subtract(count, 1), 0), q.dtype), q)
    low, high = ew.floor(position), ew.ceil(position)
    a, b = (
        movement.squeeze(
            indexing.take_along_axis(rows, movement.expand_dims(ew.cast(k, "int32"), -1), axis=-1), -1
        )
        for k in (low, high)
    )
    apart = ew.subtract(position, low)
    weights: dict[str, Any] = {
        "linear": apart, "lower": 0.0, "higher": 1.0, "midpoint": 0.5,
        "nearest": ew.cast(ew.greater(apart, 0.5), apart.dtype),
    }  # fmt: skip
    weight = weights[method]
    weight = weight if isinstance(weight, float) else ew.cast(weight, rows.dtype)
    return ew.where(ew.equal(low, high), a, _mixed(a, b, weight))


def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The middle element over `axis`, or the mean of the two."""
    return quantile(x, 0.5, axis=axis, keepdims=keepdims)


def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The median of what is not NaN."""
    return nanquantile(x, 0.5, axis=axis, keepdims=keepdims)


def _hundredths(q: Any) -> Any:
    q = unwrap(q)
    return ew.true_divide(q, 100) if isinstance(q, Value) else np.asarray(q, np.float64) / 100


def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The q-th percentiles (0 to 100) over `axis`."""
    return quantile(x, _hundredths(q), axis, method, keepdims)


def nanpercentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """Percentiles of what is not NaN."""
    return nanquantile(x, _hundredths(q), axis, method, keepdims)
