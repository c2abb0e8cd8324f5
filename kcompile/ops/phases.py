"""Gradients of operands that a contraction reads in strides, without the zeros of a gradient spread out.

Of a dimension read at s o + r, elements at equal distances from a multiple of s form a phase: each is read by
the taps r of that distance only, at stride 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile.core.symbolic import product
from kcompile.ir.types import Shape
from kcompile.ops import cutting, joining, movement

Terms = tuple[tuple[int, int], ...]
Map = tuple[Terms, ...]
Window = tuple[int, int, int, int]  # (s, output axis o, d, reduced axis r) of a dimension read at s o + d r
Gradient = Callable[[Any, Any, Shape, Shape, Shape, Map, Map], Any]

WIDE = 32  # elements side by side that a phase computes by itself as well as with others


def has_phases(window: Window, extent: Any, extents: Shape, other_map: Map) -> bool:
    """Can the gradient along a windowed dimension be taken apart by the stride?"""
    s, o, d, r = window
    follows = [terms for terms in other_map if any(a == r for _, a in terms)]
    known = all(isinstance(n, int) for n in (extent, extents[o], extents[r]))
    return s > 1 and d == 1 and known and follows == [((1, r),)]


def differ(strided: dict[int, Window], extents: Shape, shape: Shape, out: Shape, mapping: Map) -> bool:
    """Do phases have different numbers of taps, so that computing all with the most taps is waste?

    Only where each phase is a product of matrices as well: elements side by side that dy does not have,
    perhaps in groups that it has.
    """
    apart = [k for k, (s, _, _, r) in strided.items() if _is_uneven(s, extents[r])]
    own, *groups = [len(terms) == 1 and terms[0][1] >= len(out) for terms in mapping[:-3:-1]]
    has_groups = groups == [False] and len(mapping[-2]) == 1
    beside = product(shape[-2:] if has_groups else shape[-1:])
    return bool(apart) and own and isinstance(beside, int) and beside >= WIDE


def _is_uneven(s: int, taps: Any) -> bool:
    return bool(taps > s and taps % s != 0)


def gradient_of_part(
    gradient: Gradient, dy: Any, other: Any, shape: Shape, out: Shape, over: Shape, mapping: Map,
    other_map: Map, strided: dict[int, Window],
) -> Any:  # fmt: skip
    """Each phase of the first uneven dimension by itself, with its own taps; then all of them interleaved."""
    extents: Any = (*out, *over)
    k = next(k for k, (s, _, _, r) in strided.items() if _is_uneven(s, extents[r]))
    s, o, _, r = strided[k]
    groups = -(-shape[k] // s)
    pieces = []
    for phase in range(s):
        taps = -(-(extents[r] - phase) // s)
        read = out[o] + taps - 1
        dx = gradient(
            dy,
            _every(other, other_map.index(((1, r),)), phase, s, taps),
            (*shape[:k], read, *shape[k + 1 :]),
            out,
            tuple(taps if len(out) + n == r else d for n, d in enumerate(over)),
            (*mapping[:k], ((1, o), (1, r)), *mapping[k + 1 :]),
            other_map,
        )
        pieces.append(_lengthened(dx, [groups - read if n == k else 0 for n in range(len(shape))]))
    joined = movement.reshape(joining.stack(pieces, axis=k + 1), (*shape[:k], groups * s, *shape[k + 1 :]))
    return _lengthened(joined, [shape[k] - groups * s if n == k else 0 for n in range(len(shape))])


def _every(operand: Any, dim: int, first: int, step: int, count: int) -> Any:
    """Every step-th element along a dimension."""
    rank = len(operand.shape)
    return cutting.slice_op(
        operand,
        start=tuple(first if n == dim else 0 for n in range(rank)),
        size=tuple(count if n == dim else d for n, d in enumerate(operand.shape)),
        step=tuple(step if n == dim else 1 for n in range(rank)),
    )


def gradient_in_groups(
    gradient: Gradient, dy: Any, other: Any, shape: Shape, out: Shape, over: Shape, mapping: Map,
    other_map: Map, strided: dict[int, Window],
) -> Any:  # fmt: skip
    """All phases in one contraction, each with as many taps as the first has.

    With r = s j + t, position s o + r of the operand is element t of its group o + j of s elements. So the
    contraction is one over (j, t) at stride 1, of operands whose dimension is cut into groups and elements.
    """
    extents: list[Any] = [*out, *over]
    groups: list[Any] = list(shape)
    taps: dict[int, tuple[int, int]] = {}
    for k, (s, o, _, r) in strided.items():
        width = min(s, extents[r])  # what is read of a group
        taps[r] = width, len(extents)
        extents[r] = -(-extents[r] // s)
        extents.append(width)
        groups[k] = out[o] + extents[r] - 1
    for r, (width, t) in taps.items():
        other, other_map = _in_groups(other, other_map, r, width, t)
    cut_shape: list[Any] = []
    cut_map: list[Terms] = []
    unread: dict[int, int] = {}
    for k, terms in enumerate(mapping):
        cut_shape.append(groups[k])
        if k not in strided:
            cut_map.append(terms)
            continue
        _, o, _, r = strided[k]
        cut_shape.append(taps[r][0])
        unread[len(cut_shape) - 1] = strided[k][0] - taps[r][0]
        cut_map += [((1, o), (1, r)), ((1, taps[r][1]),)]
    dx = gradient(dy, other, tuple(cut_shape), out, tuple(extents[len(out) :]), tuple(cut_map), other_map)
    dx = _lengthened(dx, [unread.get(k, 0) for k in range(len(cut_shape))])
    joined = tuple(g * strided[k][0] if k in strided else g for k, g in enumerate(groups))
    rest = [d - j if k in strided else 0 for k, (d, j) in enumerate(zip(shape, joined, strict=True))]
    return _lengthened(movement.reshape(dx, joined), rest)


def _lengthened(x: Any, by: list[Any]) -> Any:
    """x with zeros at the end of its dimensions; a negative number cuts off."""
    none = (0,) * len(by)
    return cutting.pad_op(x, before=none, after=tuple(by), inner=none, value=0.0) if any(by) else x


def _in_groups(operand: Any, mapping: Map, r: int, width: int, t: int) -> tuple[Any, Map]:
    """The operand with the dimension of axis r cut into groups (axis r) of `width` elements (axis t)."""
    dim = mapping.index(((1, r),))
    size = operand.shape[dim]
    operand = _lengthened(operand, [-size % width if k == dim else 0 for k in range(len(operand.shape))])
    shape = (*operand.shape[:dim], -(-size // width), width, *operand.shape[dim + 1 :])
    return movement.reshape(operand, shape), (*mapping[: dim + 1], ((1, t),), *mapping[dim + 1 :])
