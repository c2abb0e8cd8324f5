"""Axes reordered, split and joined as a pattern of names says."""

from __future__ import annotations

import re
from typing import Any

from kcompile.core.symbolic import product
from kcompile.ops import elementwise as ew
from kcompile.ops import movement

Groups = list[list[str]]


def _groups(pattern: str, side: str) -> Groups:
    """ "a (b c) d" -> [["a"], ["b", "c"], ["d"]]; 1 is an axis of that extent without a name."""
    if not re.fullmatch(r"\s*((\(\s*(\w+\s*)*\)|\w+)\s*)*", side):
        raise ValueError(
            f"rearrange: {side.strip()!r} is no list of names and groups in brackets, in {pattern!r}."
        )
    found = re.findall(r"\(([^)]*)\)|(\w+)", side)
    groups = [inside.split() if not name else [name] for inside, name in found]
    return [[name for name in group if name != "1"] for group in groups]


def _extents(pattern: str, groups: Groups, shape: Any, known: dict[str, int]) -> dict[str, Any]:
    """The extent of every name, one unknown name per group computed from the rest."""
    if len(groups) != len(shape):
        raise ValueError(
            f"rearrange: {pattern!r} is for tensors of {len(groups)} dimensions. Received: shape="
            f"{tuple(shape)}"
        )
    extents: dict[str, Any] = dict(known)
    for group, size in zip(groups, shape, strict=True):
        open_ = [name for name in group if name not in known]
        given = product(known[name] for name in group if name in known)
        if len(open_) > 1:
            raise ValueError(
                f"rearrange: give the extents of all but one of {group} in {pattern!r}, as in {open_[0]}=2."
            )
        whole = not isinstance(size, int) or size % given == 0
        if not whole or (not open_ and size != given):
            raise ValueError(
                f"rearrange: an axis of {size} cannot be {' x '.join(group)} with {known}, in {pattern!r}."
            )
        if open_:
            extents[open_[0]] = size // given
    return extents


def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """A tensor with its axes reordered, joined and split.

    Args:    pattern: names of the axes before and after, as in "b h w c -> b (h w) c"; a group in brackets is
             one axis. axes_lengths: extents of names that a group of the left side leaves open.
    Raises:  ValueError for a pattern that does not fit the tensor.

    >>> rearrange([0, 1, 2, 3, 4, 5], "(a b) -> b a", a=2).tolist()
    [[0, 3], [1, 4], [2, 5]]
    """
    x = ew.as_tensor(tensor)
    left, arrow, right = pattern.partition("->")
    before, after = _groups(pattern, left), _groups(pattern, right)
    names, wanted = ([name for group in side for name in group] for side in (before, after))
    if not arrow or len(set(names)) != len(names) or sorted(names) != sorted(wanted):
        raise ValueError(f"rearrange: both sides of {pattern!r} must have the same names, each once.")
    unknown = axes_lengths.keys() - set(names)
    if unknown:
        raise ValueError(f"rearrange: {sorted(unknown)} do not occur in {pattern!r}.")
    extents = _extents(pattern, before, x.shape, {k: int(v) for k, v in axes_lengths.items()})
    x = movement.reshape(x, [extents[name] for name in names])
    x = movement.transpose(x, [names.index(name) for name in wanted])
    return movement.reshape(x, [product(extents[name] for name in group) for group in after])
