"""Rearranging tensors: repeat, tile, roll, split, and NumPy's many ways to stack."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kcompile.core import symbolic
from kcompile.core.errors import ShapeError, message
from kcompile.core.symbolic import Int
from kcompile.core.wholes import Extents, wholes
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import cutting, joining, movement, places
from kcompile.ops import elementwise as ew
from kcompile.ops import index as indexing
from kcompile.ops.copying import copy
from kcompile.ops.demand import demanding
from kcompile.ops.movement import check_axis

repeat_op = Op("repeat")
tile_op = Op("tile")


@repeat_op.infer
def _repeat_infer(x: TensorType, *, times: int, axis: int) -> TensorType:
    return TensorType((*x.shape[:axis], x.shape[axis] * times, *x.shape[axis + 1 :]), x.dtype)


repeat_op.reference(lambda x, *, times, axis: np.repeat(x, times, axis=axis))


@repeat_op.decompose
def _repeat_decompose(x: Any, *, times: int, axis: int) -> Any:
    wide = movement.expand_dims(x, axis + 1)
    wide = movement.broadcast_to(wide, (*x.shape[: axis + 1], times, *x.shape[axis + 1 :]))
    return movement.reshape(wide, (*x.shape[:axis], x.shape[axis] * times, *x.shape[axis + 1 :]))


@repeat_op.onnx
def _repeat_onnx(g: Any, x: str, *, times: int, axis: int) -> str | None:
    if g.dtype(x) not in ONNX_RESIZES or times < 1:
        return None
    scales = np.array([times if k == axis else 1 for k in range(len(g.shape(x)))], "float32")
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return str(g.node("Resize", x, "", g.constant(scales), **how))


ONNX_RESIZES = ("float32", "float16", "int32", "int8", "uint8")  # what onnxruntime's Resize takes


@repeat_op.samples
def _repeat_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(2, 3, 4)).astype("float32"),), {"times": 2, "axis": 1})
    yield Sample((rng.integers(0, 9, (3, 2)),), {"times": 3, "axis": 1}, "int64")
    yield Sample((rng.normal(size=(2, 1)).astype("float32"),), {"times": 1, "axis": 0}, "once")


def repeat(x: Any, repeats: Extents, axis: int | None = None) -> Any:
    """Each element (along `axis`, or of the flattened tensor) `repeats` times in a row; `repeats` may differ.

    >>> repeat(np.array([1, 2]), 2).tolist(), repeat(np.array([1, 2]), [1, 3]).tolist()
    ([1, 1, 2, 2], [1, 2, 2, 2])
    """
    x = ew.as_tensor(x)
    if axis is None:
        x, axis = movement.reshape(x, (-1,)), 0
    axis = check_axis("repeat", axis, len(x.shape))
    counts = np.ravel(repeats)
    if counts.size == 1:
        times = int(counts[0])
        return copy(x) if times == 1 else repeat_op(x, times=times, axis=axis)
    missing = x.shape[axis] - counts.size
    otherwise = f"repeat: each element along axis {axis} needs a count. Received: {counts.size} counts."
    x = demanding(x, missing, -1 * missing, otherwise=otherwise)
    return indexing.take(x, np.repeat(np.arange(counts.size, dtype="int32"), counts), axis=axis)


@tile_op.infer
def _tile_infer(x: TensorType, *, counts: tuple[int | Int, ...]) -> TensorType:
    return TensorType(tuple(n * d for n, d in zip(counts, x.shape, strict=True)), x.dtype)


tile_op.reference(lambda x, *, counts: np.tile(x, counts))


@tile_op.decompose
def _tile_decompose(x: Any, *, counts: tuple[int | Int, ...]) -> Any:
    split_dims = [e for d in x.shape for e in (1, d)]
    wide = [e for n, d in zip(counts, x.shape, strict=True) for e in (n, d)]
    y = movement.broadcast_to(movement.reshape(x, split_dims), wide)
    return movement.reshape(y, tuple(n * d for n, d in zip(counts, x.shape, strict=True)))


@tile_op.onnx
def _tile_onnx(g: Any, x: str, *, counts: tuple[int | Int, ...]) -> str:
    return g.node("Tile", x, g.dims(counts))


@tile_op.samples
def _tile_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(2, 3)).astype("float32")
    for counts in ((1, 2), (3, 1), (2, 3)):
        yield Sample((x,), {"counts": counts}, str(counts))


def tile(x: Any, repeats: Any) -> Any:
    """Copies of x side by side, `repeats` along each dimension.

    >>> tile(np.array([1, 2]), 2).tolist()
    [1, 2, 1, 2]
    """
    x = ew.as_tensor(x)
    given = tuple(repeats) if isinstance(repeats, (tuple, list)) else tuple(np.atleast_1d(repeats).tolist())
    rank = builtins.max(len(given), len(x.shape))
    counts = (1,) * (rank - len(given)) + given
    dims = (1,) * (rank - len(x.shape)) + tuple(x.shape)
    x = movement.reshape(x, dims)
    return copy(x) if all(n == 1 for n in counts) else tile_op(x, counts=counts)


def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """Elements moved on by `shift` along `axis`; what leaves at the end comes back at the start.

    >>> roll(np.array([1, 2, 3]), 1).tolist()
    [3, 1, 2]
    """
    x = ew.as_tensor(x)
    if axis is None:
        return movement.reshape(roll(movement.reshape(x, (-1,)), shift, 0), x.shape)
    axes, shifts = np.broadcast_arrays(np.atleast_1d(axis), np.atleast_1d(shift))
    given = x
    for a, by in zip(axes.tolist(), shifts.tolist(), strict=True):  # several shifts of one axis add up
        k = check_axis("roll", a, len(x.shape))
        d = x.shape[k]
        some = symbolic.minimum(1, d)  # 0 for an axis without elements, which stays as it is
        cut = (int(by) - d * symbolic.floordiv(int(by), d + 1 - some)) * some
        if cut != 0:
            x = joining.concatenate([part(x, k, d - cut, cut), part(x, k, 0, d - cut)], axis=k)
    return copy(x) if x is given else x


def part(x: Any, axis: int, start: Any, size: Any) -> Any:
    """`size` elements from `start` on along one axis."""
    axis = check_axis("slice", axis, len(x.shape))
    first = tuple(start if k == axis else 0 for k in range(len(x.shape)))
    extents = tuple(size if k == axis else d for k, d in enumerate(x.shape))
    return cutting.slice_op(x, start=first, size=extents, step=(1,) * len(first))


def split(x: Any, indices_or_sections: Extents, axis: int = 0) -> list[Any]:
    """Parts of x along `axis`: so many equal ones, or cut before each given index.

    >>> [part.tolist() for part in split(np.arange(4), 2)]
    [[0, 1], [2, 3]]
    """
    x = ew.as_tensor(x)
    axis = check_axis("split", axis, len(x.shape))
    d = x.shape[axis]
    if np.ndim(indices_or_sections):
        return _cut(x, [int(k) for k in np.asarray(indices_or_sections)], axis)
    sections = int(indices_or_sections)
    size = symbolic.floordiv(d, sections)
    if not movement.fit(size * sections, d):
        raise ShapeError(
            message(
                f"split: axis {axis} cannot be divided into {sections} equal parts.", received=f"{x.shape}"
            )
        )
    return [part(x, axis, k * size, size) for k in range(sections)]


def _cut(x: Any, indices: list[int], axis: int) -> list[Any]:
    d = x.shape[axis]
    places = [symbolic.bound(k, d) for k in indices]
    first, last = [0, *places], [*places, d]
    sizes = [b - symbolic.minimum(a, b) for a, b in zip(first, last, strict=True)]
    return [part(x, axis, a, n) for a, n in zip(first, sizes, strict=True)]


def array_split(x: Any, indices_or_sections: Extents, axis: int = 0) -> list[Any]:
    """As `split` into so many parts, but the first ones may be longer by one element."""
    x = ew.as_tensor(x)
    if not isinstance(indices_or_sections, (int, np.integer)):
        raise TypeError(
            "array_split: Argument `indices_or_sections` must be of type `int`. Received: "
            f"indices_or_sections={indices_or_sections}"
        )
    d, n = x.shape[check_axis("array_split", axis, len(x.shape))], int(indices_or_sections)
    if n < 1:
        raise ValueError(
            "array_split: Argument `indices_or_sections` must be a positive integer. Received: "
            f"indices_or_sections={n}"
        )
    if not isinstance(d, int):
        raise ShapeError(
            message("array_split: the dimension must be known.", received=f"axis {axis} of {x.shape}")
        )
    sizes = [d // n + (k < d % n) for k in range(n)]
    return split(x, np.cumsum(sizes)[:-1].tolist(), axis)


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """The tensors that were stacked along `axis`. `num` says how many where the dimension is not known."""
    x = ew.as_tensor(x)
    axis = check_axis("unstack", axis, len(x.shape))
    count = x.shape[axis] if num is None or isinstance(x.shape[axis], int) else num
    if not isinstance(count, int):
        raise ValueError(
            f"Cannot infer argument `num` from shape {tuple(x.shape)}. Either provide a tensor "
            "with a concrete shape in the `axis` dimension or explicitly pass the `num` argument."
        )
    last = x.shape[axis] - 1
    return [movement.squeeze(part(x, axis, symbolic.minimum(k, last), 1), axis) for k in range(count)]


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged."""
    x = ew.as_tensor(x)
    a, b = (check_axis("swapaxes", k, len(x.shape)) for k in (axis1, axis2))
    order = list(range(len(x.shape)))
    order[a], order[b] = b, a
    return movement.transpose(x, order)


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """x with the axes `source` at the positions `destination`; the others keep their order."""
    x = ew.as_tensor(x)
    rank = len(x.shape)
    left, right = (
        [check_axis("moveaxis", a, rank) for a in (v if isinstance(v, (tuple, list)) else (v,))]
        for v in (source, destination)
    )
    order = [k for k in range(rank) if k not in left]
    for to, origin in sorted(zip(right, left, strict=True)):
        order.insert(to, origin)
    return movement.transpose(x, order)


def ravel(x: Any) -> Any:
    """x as one row of elements."""
    return movement.reshape(x, (-1,))


def fliplr(x: Any) -> Any:
    """x with its second axis reversed."""
    return cutting.flip(x, 1)


def flipud(x: Any) -> Any:
    """x with its first axis reversed."""
    return cutting.flip(x, 0)


def rot90(array: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """x turned by k right angles in the plane of two axes."""
    x = ew.as_tensor(array)
    a, b = (check_axis("rot90", axis, len(x.shape)) for axis in axes)
    if a == b:
        raise ValueError(f"Invalid axes: {axes}. Axes must be a tuple of two different dimensions.")
    turns = k % 4
    if turns == 2:
        return cutting.flip(x, (a, b))
    if turns == 1:
        return swapaxes(cutting.flip(x, b), a, b)
    return cutting.flip(swapaxes(x, a, b), b) if turns == 3 else x


def _at_least(x: Any, rank: int) -> Any:
    """NumPy's atleast_1d, 2d, 3d."""
    x = ew.as_tensor(x)
    shape = tuple(x.shape)
    if rank == 3 and len(shape) == 2:
        return movement.reshape(x, (*shape, 1))
    shape = (1,) * (builtins.min(rank, 2) - len(shape)) + shape
    return movement.reshape(x, (*shape, *(1,) * (rank - len(shape))))


def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """x2 behind x1 along `axis`; both flattened for None."""
    a, b = ew.operands(x1, x2)
    if axis is None:
        return joining.concatenate([ravel(a), ravel(b)], axis=0)
    return joining.concatenate([a, b], axis=axis)


def hstack(xs: Sequence[Any]) -> Any:
    """Joined along the second axis, 1-D tensors along the first."""
    tensors = [_at_least(x, 1) for x in xs]
    return joining.concatenate(tensors, axis=0 if len(tensors[0].shape) == 1 else 1)


def vstack(xs: Sequence[Any]) -> Any:
    """Joined along the first axis, 1-D tensors as rows."""
    return joining.concatenate([_at_least(x, 2) for x in xs], axis=0)


def dstack(xs: Sequence[Any]) -> Any:
    """Joined along the third axis."""
    return joining.concatenate([_at_least(x, 3) for x in xs], axis=2)


def hsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """`split` along the second axis, or the first of a 1-D tensor."""
    x = ew.as_tensor(x)
    return split(x, indices_or_sections, axis=0 if len(x.shape) == 1 else 1)


def vsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """`split` along the first axis."""
    return split(x, indices_or_sections, axis=0)


def dsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """`split` along the third axis."""
    return split(x, indices_or_sections, axis=2)


def meshgrid(*x: Any, indexing: str = "xy") -> list[Any]:
    """Coordinate tensors of the grid that 1-D tensors span."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"Valid values for `indexing` are 'xy' and 'ij', but received {indexing}.")
    rows = [ravel(t) for t in map(ew.as_tensor, x)]
    shape = tuple(r.shape[0] for r in rows)
    grids = [
        movement.broadcast_to(movement.reshape(r, (1,) * k + r.shape + (1,) * (len(rows) - k - 1)), shape)
        for k, r in enumerate(rows)
    ]
    return [swapaxes(g, 0, 1) for g in grids] if indexing == "xy" and len(rows) > 1 else grids


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Elements of the diagonal of two axes, which become the last one.

    >>> diagonal(np.arange(9).reshape(3, 3), offset=1).tolist()
    [1, 5]
    """
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    n, m = x.shape[-2:]
    row, column = builtins.max(-offset, 0), builtins.max(offset, 0)
    flat = movement.reshape(x, (*x.shape[:-2], n * m))
    if not (isinstance(n, int) and isinstance(m, int)):
        return _open_diagonal(flat, n, m, row, column)
    count = builtins.max(builtins.min(n - row, m - column), 0)
    start = (*(0,) * (len(x.shape) - 2), row * m + column if count else 0)
    step = (*(1,) * (len(x.shape) - 2), m + 1)
    return cutting.slice_op(flat, start=start, size=(*x.shape[:-2], count), step=step)


def _open_diagonal(flat: Any, n: Any, m: Any, row: int, column: int) -> Any:
    """The diagonal from (row, column) on of matrices n x m, of which only a run knows the size."""
    from kcompile.ops import create

    shorter = symbolic.minimum(n - row, m - column)
    place = create.iota(shorter - symbolic.minimum(shorter, 0))
    width = ew.as_tensor(movement.extent(m), "int32")
    at = ew.add(ew.multiply(ew.add(place, row), width), ew.add(place, column))
    return indexing.take(flat, at, axis=-1)


def diagflat(x: Any, k: int = 0) -> Any:
    """A matrix with the elements of x on its k-th diagonal."""
    from kcompile.ops import create

    x = ravel(x)
    n = x.shape[0]
    size = n + builtins.abs(k)
    padded = cutting.pad(x, [(builtins.max(k, 0), builtins.max(-k, 0))])
    rows, columns = create.iota(size), create.iota(size)
    hit = ew.equal(ew.add(movement.expand_dims(rows, 1), k), movement.expand_dims(columns, 0))
    return ew.where(hit, movement.reshape(padded, (1, size)), ew.zero_like(x))


def diag(x: Any, k: int = 0) -> Any:
    """The k-th diagonal of a matrix, or the matrix with that diagonal."""
    x = ew.as_tensor(x)
    if len(x.shape) not in (1, 2):
        raise ValueError(f"`x` must be 1d or 2d. Received: x.shape={tuple(x.shape)}")
    return diagflat(x, k) if len(x.shape) == 1 else diagonal(x, k)


def unravel_index(indices: Any, shape: Any) -> tuple[Any, ...]:
    """The position in `shape` of each flat index, one tensor per dimension.

    Negative indices count from the end; beyond either end they are those of the end, as in JAX.
    """
    dims = wholes("shape", shape, of="unravel_index")
    indices, total = ew.as_tensor(indices), int(np.prod(dims))
    dtype, parts = ew.common_dtype(indices), []
    dtype = "int32" if dtype == "bool" else dtype
    left, _ = places.placed(indices, total)
    left = ew.minimum(ew.maximum(left, 0), total - 1)
    for d in reversed(dims):
        parts.append(ew.cast(ew.mod(left, d), dtype))
        left = ew.floor_divide(left, d)
    return tuple(reversed(parts))
