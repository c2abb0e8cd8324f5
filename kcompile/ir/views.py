"""Values as strided views of what lies in memory."""

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


def flat_offset(value: Value, index: tuple[int | Int, ...]) -> int | Int:
    """Row-major element offset."""
    offset: int | Int = 0
    for k, d in zip(index, value.shape, strict=True):
        offset = offset * d + k
    return offset


def row_major(shape: tuple[int | Int, ...]) -> tuple[int | Int, ...]:
    strides: list[int | Int] = []
    step: int | Int = 1
    for d in reversed(shape):
        strides.append(step)
        step = step * d
    return tuple(reversed(strides))


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
