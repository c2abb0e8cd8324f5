"""Arrays of different sizes, filled up so that they are equally large: `Dataset.padded_batch`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.training.data.elements import at_leaves, holds, shape_of

Side = int | None


def padding(padded_shapes: Any, padding_values: Any) -> Callable[[list[Any]], list[Any]]:
    """A function that fills up the arrays of elements, which then can be stacked.

    Args:    padded_shapes: None, or a shape for each array, in the structure of the elements; a side of None
             or -1 becomes the largest one. padding_values: None, one for all arrays, or a structure of them;
             None stands for 0 and for empty text.
    Raises:  from the function: ValueError for shapes that the arrays do not fit into, TypeError for values of
             another dtype and for structures that are not those of the elements.

    >>> padding([None], -1)([np.array([1, 2]), np.array([3])])
    [array([1, 2]), array([ 3, -1])]
    """

    def padded(rows: list[Any]) -> list[Any]:
        columns = list(zip(*map(tree.flatten, rows), strict=True))
        shapes: list[Any] = [None] * len(columns)
        if padded_shapes is not None:
            shapes = [_shape(given) for given in at_leaves(rows[0], padded_shapes, "padded_shapes")]
        values = [padding_values] * len(columns)
        if isinstance(padding_values, (tuple, dict)):
            values = at_leaves(rows[0], padding_values, "padding_values")
        filled = [_filled(*given) for given in zip(columns, shapes, values, strict=True)]
        return [tree.pack_as(rows[0], leaves) for leaves in zip(*filled, strict=True)]

    return padded


def _shape(given: Any) -> tuple[Side, ...]:
    shape = shape_of(given)
    if shape is None:
        raise ValueError(f"`padded_shapes` must give a shape for each array. Received: {given}")
    return shape


def _filled(column: tuple[Any, ...], shape: tuple[Side, ...] | None, value: Any) -> list[Any]:
    arrays = [np.asarray(leaf) for leaf in column]
    text = any(dtypes.is_text(a) for a in arrays)
    kind = np.dtype(object) if text else np.result_type(*arrays)
    wanted = (None,) * arrays[0].ndim if shape is None else shape
    for array in arrays:
        if not _fits(array.shape, wanted):
            raise ValueError(
                f"The padded shape {wanted} is not compatible with an array of shape {array.shape}."
            )
    filler = _text(value, arrays) if text else _number(value, kind)
    if not wanted:
        return list(column)
    largest = [max(sides) for sides in zip(*(a.shape for a in arrays), strict=True)]
    size = [most if side is None else side for side, most in zip(wanted, largest, strict=True)]
    return [_inside(array, size, kind, filler) for array in arrays]


def _fits(shape: tuple[int, ...], wanted: tuple[Side, ...]) -> bool:
    return len(shape) == len(wanted) and all(w is None or n <= w for n, w in zip(shape, wanted, strict=True))


def _inside(array: np.ndarray, size: list[int], kind: np.dtype, filler: Any) -> np.ndarray:
    out = np.full(size, filler, kind)
    out[tuple(slice(n) for n in array.shape)] = array
    return out


def _text(value: Any, arrays: list[np.ndarray]) -> Any:
    as_bytes = any(isinstance(leaf, bytes) for a in arrays for leaf in a.ravel()[:1].tolist())
    value = "" if value is None else value
    if not isinstance(value, (str, bytes)):
        raise _wrong(value, "text")
    if isinstance(value, str):
        return value.encode() if as_bytes else value
    return value if as_bytes else value.decode()


def _number(value: Any, kind: np.dtype) -> Any:
    """A number of that dtype; one of Python's may have any that it fits into."""
    given = np.asarray(0 if value is None else value)
    if given.ndim:
        raise ValueError(f"Invalid `padding_values`: they must be scalars. Received: {value}")
    if value is None:
        return given.astype(kind)
    if given.dtype != kind if hasattr(value, "dtype") else not holds(kind, given):
        raise _wrong(value, kind)
    return given.astype(kind)


def _wrong(value: Any, kind: Any) -> TypeError:
    return TypeError(
        f"Invalid `padding_values`: the dtype of {value!r} does not match that of the arrays, {kind}."
    )
