"""Changes of shape: which dimensions they split and join, and how they go with transposes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from kcompile.core.symbolic import Int, Min, is_nonnegative
from kcompile.ir.types import Shape

Group = tuple[list[int], list[int]]  # axes before, and the axes after that hold the same elements


def groups(before: Shape, after: Shape) -> list[Group] | None:
    """The smallest runs of axes that a change of shape turns into each other.

    Axes of size 1 before are nowhere; those after stand beside the axis in front of them. None where no axis
    is left, or the shapes hold different numbers of elements.
    """
    old, new = ([k for k, d in enumerate(shape) if d != 1] for shape in (before, after))
    if not old or not new or 0 in (*before, *after):
        return None
    found, i, j = list[Group](), 0, 0
    ends = itertools.product(range(1, len(old) + 1), range(1, len(new) + 1))
    for m, n in ends:
        same = math.prod(before[k] for k in old[:m]) == math.prod(after[k] for k in new[:n])
        if same and m > i and n > j:
            start, end = (0 if j == 0 else new[j]), (len(after) if n == len(new) else new[n])
            found.append((old[i:m], list(range(start, end))))
            i, j = m, n
    return found if i == len(old) and j == len(new) else None


def across(before: Shape, after: Shape, perm: Sequence[int]) -> list[int] | None:
    """How a tensor of shape `after` is transposed when the one of shape `before`, of which it has the
    elements, is transposed by `perm`; None if that tears axes apart which the other shape has as one.
    """
    found = groups(before, after)
    if found is None:
        return None
    place = {k: p for p, k in enumerate(perm)}
    inner = sorted((k for axes, _ in found for k in axes), key=lambda k: place[k])
    blocks = sorted(found, key=lambda group: place[group[0][0]])
    if inner != [k for axes, _ in blocks for k in axes]:
        return None
    return [k for _, axes in blocks for k in axes]


def template(before: Shape, after: Shape) -> np.ndarray | None:
    """What Reshape is told to make `after` of `before`, if a constant can say it.

    Not where a dimension may be 0 beside one that is left to it: 0 elements do not tell that.
    """
    if 0 in after:
        return None
    pairs = itertools.zip_longest(after, before[: len(after)])
    target = [0 if a == b else a if isinstance(a, int) else -1 for a, b in pairs]
    empty = any(may_be_empty(d) for d, n in zip(after, target, strict=True) if n == 0)
    return None if target.count(-1) > (0 if empty else 1) else np.array(target, np.int64)


def may_be_empty(dim: int | Int) -> bool:
    """May a slice have left nothing of it? What a window moves over is never empty, so only a Min says so."""
    if isinstance(dim, int):
        return dim == 0
    return not is_nonnegative(dim - 1) and any(isinstance(atom, Min) for atom in dim.atoms())


def permuted(shape: Shape, perm: Sequence[int]) -> Shape:
    """The shape of a transposed tensor."""
    return tuple(shape[k] for k in perm)


def inverse(perm: Sequence[int]) -> tuple[int, ...]:
    """What undoes a transpose."""
    return tuple(int(k) for k in np.argsort(perm))


def moves_ones(shape: Shape, perm: Sequence[int]) -> bool:
    """Does a transpose move dimensions of size 1 only, so that no element moves?"""
    kept = [k for k in perm if shape[k] != 1]
    return kept == sorted(kept)
