"""Operands of contractions as strided views of what lies in memory: reshape, transpose, slice and broadcast
cost nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from kcompile.core.symbolic import Int, product
from kcompile.ir.graph import Value


@dataclass(frozen=True)
class View:
    """Element strides of `shape` over the memory of `base`, from element `offset`."""

    base: Value
    shape: tuple[int | Int, ...]
    strides: tuple[int | Int, ...]
    offset: int | Int = 0


def contiguous(value: Value) -> View:
    return View(value, value.shape, row_major(value.shape))


def row_major(shape: tuple[int | Int, ...]) -> tuple[int | Int, ...]:
    strides: list[int | Int] = []
    step: int | Int = 1
    for d in reversed(shape):
        strides.append(step)
        step = step * d
    return tuple(reversed(strides))


def view_of(value: Value) -> View:
    """The view that a value is of the nearest value which must lie in memory."""
    name, attrs = value.op.name, value.node.attrs
    if name == "transpose":
        inner = view_of(value.node.inputs[0])
        axes = attrs["axes"]
        return View(inner.base, value.shape, tuple(inner.strides[a] for a in axes), inner.offset)
    if name == "slice":
        inner = view_of(value.node.inputs[0])
        offset = inner.offset
        for start, stride in zip(attrs["start"], inner.strides, strict=True):
            offset = offset + start * stride
        strides = tuple(step * stride for step, stride in zip(attrs["step"], inner.strides, strict=True))
        return View(inner.base, value.shape, strides, offset)
    if name == "broadcast_to":
        inner = view_of(value.node.inputs[0])
        lead = len(value.shape) - len(inner.shape)
        strides = tuple(
            0 if k < lead or (inner.shape[k - lead] == 1 and d != 1) else inner.strides[k - lead]
            for k, d in enumerate(value.shape)
        )
        return View(inner.base, value.shape, strides, inner.offset)
    if name == "reshape":
        inner = view_of(value.node.inputs[0])
        reshaped = reshape_strides(inner.shape, inner.strides, value.shape)
        if reshaped is not None:
            return View(inner.base, value.shape, reshaped, inner.offset)
    return contiguous(value)


def reshape_strides(
    old: tuple[int | Int, ...], strides: tuple[int | Int, ...], new: tuple[int | Int, ...]
) -> tuple[int | Int, ...] | None:
    """Strides of a reshaped view, or None where the elements do not lie regularly."""
    pairs = [(d, s) for d, s in zip(old, strides, strict=True) if d != 1]
    result: list[int | Int] = []
    k = 0
    position = 0
    while position < len(new):
        d = new[position]
        if d == 1:
            result.append(0)
            position += 1
            continue
        if k >= len(pairs):
            return None
        # Gather old dimensions and new ones until their products agree.
        old_group, new_group = [pairs[k]], [d]
        k += 1
        position += 1
        while product(p[0] for p in old_group) != product(new_group):
            if _divides(product(new_group), product(p[0] for p in old_group)) and position < len(new):
                new_group.append(new[position])
                position += 1
            elif k < len(pairs):
                old_group.append(pairs[k])
                k += 1
            else:
                return None
        for (_, s), (e, t) in pairwise(old_group):
            if s != e * t:
                return None
        step = old_group[-1][1]
        group: list[int | Int] = []
        for e in reversed(new_group):
            group.append(step)
            step = step * e
        result.extend(reversed(group))
    return tuple(result)


def _divides(small: int | Int, big: int | Int) -> bool:
    return small != big and small != 0 and (big // small) * small == big
