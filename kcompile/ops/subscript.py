"""Subscripts: x[1], x[:, None, ::2], x[..., -1], x[indices], x[rows, columns]."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.core.errors import SubscriptError, message
from kcompile.core.symbolic import Int
from kcompile.ir.graph import Value
from kcompile.ops import cutting, places
from kcompile.ops import elementwise as ew
from kcompile.ops import index as indexing
from kcompile.ops.movement import reshape, transpose
from kcompile.ops.spans import span


def getitem(x: Any, key: Any) -> Any:
    """Basic and integer-array indexing: x[1], x[:, None, ::2], x[..., -1], x[indices]; masks of arrays."""
    key = key if isinstance(key, tuple) else (key,)
    key = tuple(None if k is True else np.array(k) if k is False else k for k in key)  # masks without axes
    if isinstance(x, np.ndarray) and builtins.any(_is_mask(k) for k in key):
        return x[key]  # how many elements a mask lets through is known of arrays alone
    key = _without_masks(key, tuple(x.shape))
    expanded = _expand_key(key, len(x.shape))
    if builtins.any(_is_array(k) for k in expanded):
        return _advanced(x, expanded, _are_apart(key))
    dims = iter(x.shape)
    spans = [(k, (0, 1, 1) if k is None else _slice_of(k, next(dims))) for k in expanded]
    final = [n for k, (_, n, _) in spans if k is None or isinstance(k, slice)]
    start, size, step = (tuple(span[j] for k, span in spans if k is not None) for j in range(3))
    whole = size == tuple(x.shape) and set(step) <= {1}  # then it starts at 0
    cut = x if whole else cutting.slice_op(x, start=start, size=size, step=step)
    return reshape(cut, tuple(final))


def _is_array(k: Any) -> bool:
    return not (k is None or k is Ellipsis or isinstance(k, (int, slice, np.integer, Int)))


def _without_masks(key: tuple[Any, ...], shape: tuple[int | Int, ...]) -> tuple[Any, ...]:
    """The key with masks that are known as the indices they let through."""
    masks = [np.asarray(k) if isinstance(k, (list, np.ndarray)) else None for k in key]
    known = [None if m is None or m.dtype.kind != "b" else m for m in masks]
    if not builtins.any(m is not None for m in known):
        return key
    used = [
        0 if k is None or k is Ellipsis else 1 if m is None else m.ndim
        for k, m in zip(key, known, strict=True)
    ]
    found: list[Any] = []
    axis = 0
    for k, m, axes in zip(key, known, used, strict=True):
        if m is not None and (not m.ndim or m.shape != shape[axis : axis + axes]):
            raise SubscriptError(
                message(
                    "subscript: a mask must have the extents of the dimensions that it lets through.",
                    received=f"a mask of shape {m.shape} for dimensions {shape[axis : axis + axes]}",
                    hint="for a mask over what only a run knows, use ops.where",
                )
            )
        found += [k] if m is None else m.nonzero()
        axis += len(shape) - builtins.sum(used) if k is Ellipsis else axes
    return tuple(found)


def _is_mask(k: Any) -> bool:
    return isinstance(k, np.ndarray) and k.dtype.kind == "b"


def _are_apart(key: tuple[Any, ...]) -> bool:
    """Does something basic stand between arrays and numbers, which count as arrays beside them?"""
    at = [n for n, k in enumerate(key) if not (k is None or k is Ellipsis or isinstance(k, slice))]
    return at != list(range(at[0], at[0] + len(at)))


def _advanced(x: Any, key: list[Any], are_apart: bool) -> Any:
    """Subscripts with arrays of integers: what is basic goes first. The arrays' dimensions come first in the
    result, as in NumPy, unless arrays and numbers stand side by side.
    """
    y = getitem(x, tuple(slice(None) if _is_array(k) else k for k in key))
    axes, axis = [], 0
    for k in key:
        axes += [axis] * _is_array(k)
        axis += not isinstance(k, (int, np.integer, Int))
    if are_apart:
        y = transpose(y, (*axes, *(k for k in range(len(y.shape)) if k not in axes)))
        axes = list(range(len(axes)))
    extents = y.shape[axes[0] : axes[-1] + 1]
    arrays = [indexing.as_indices(k) for k in key if _is_array(k)]
    for indices, d in zip(arrays, extents, strict=True):
        if not dtypes.is_int(ew.common_dtype(indices)):
            raise IndexError("arrays in a subscript must hold integers; for a mask use ops.where")
        _check_known(indices, d)
    merged = reshape(y, (*y.shape[: axes[0]], symbolic.product(extents), *y.shape[axes[-1] + 1 :]))
    at = arrays[0] if len(arrays) == 1 else _merged(arrays, extents)
    return indexing.take(merged, at, axis=axes[0])


def _merged(arrays: Sequence[Any], extents: Sequence[int | Int]) -> Any:
    """Indices into dimensions as ones into all of these as one; the least integer, which is inside of none,
    where an index lies outside of its own dimension.
    """
    at, inside = places.joined(arrays, extents)
    return ew.where(inside, at, np.iinfo("int64").min)


def _check_known(indices: Any, d: int | Int) -> None:
    """Raises: IndexError where numbers lie outside of a known extent, as plain ones in a subscript do."""
    if isinstance(indices, np.ndarray) and isinstance(d, int) and indices.size:
        for k in (int(indices.min()), int(indices.max())):
            _check_place(k, d)


def _expand_key(key: tuple[Any, ...], rank: int) -> list[Any]:
    used = len([k for k in key if k is not None and k is not Ellipsis])
    if used > rank:
        raise IndexError(f"too many indices: {used} for a tensor of rank {rank}")
    fill = [slice(None)] * (rank - used)
    if builtins.any(k is Ellipsis for k in key):
        at = [k is Ellipsis for k in key].index(True)
        return [*key[:at], *fill, *key[at + 1 :]]
    return [*key, *fill]


def _slice_of(k: Any, d: int | Int) -> tuple[Any, Any, int]:
    if not isinstance(k, slice):
        if isinstance(k, (int, np.integer)) and isinstance(d, int):
            _check_place(int(k), d)
        return _place(int(k) if isinstance(k, np.integer) else k, d), 1, 1
    if isinstance(d, int) and not any(isinstance(b, Int) for b in (k.start, k.stop)):
        a, b, s = k.indices(d)
        return a, max(0, -(-(b - a) // s)), s
    s = k.step or 1
    return *span(k.start, k.stop, s, d), s


def _check_place(k: int, d: int) -> None:
    if not -d <= k < d:
        raise IndexError(f"index {k} is out of bounds for a dimension of size {d}")


def _place(k: int | Int, d: int | Int) -> int | Int:
    """The position of element k: the last one, or the first, where there are fewer."""
    if isinstance(k, Int) or isinstance(d, int):
        return d + k if isinstance(k, int) and k < 0 else k
    return symbolic.minimum(k, d - 1) if k >= 0 else d - symbolic.minimum(-k, d)


def _install() -> None:
    """Subscripts of symbolic tensors."""
    for name, function in {"__getitem__": getitem}.items():
        setattr(Value, name, lambda x, key, f=function: f(x, key))


_install()
