"""A contraction's output axes as functions of a kernel's own variables: row, lane and outer indices."""

from __future__ import annotations

from collections.abc import Sequence

from kcompile.core.symbolic import Atom, Int
from kcompile.ir.loops import Axis, Index, axis_of
from kcompile.ops.movement import unflatten
from kcompile.schedule.contraction import AxisRole, Contraction, hint

Positions = list[tuple[tuple[int, ...], "int | Int"]]


def positions(c: Contraction, row: Axis, lane: Axis, outer: Sequence[Axis]) -> Positions:
    """Where the output axes with these numbers are, together, in terms of row, lane and outer indices."""
    rows = [(tuple(k for r in c.m for k in r.numbers), Int.of(row))] if c.m else []
    return [
        *rows,
        (c.n.numbers, Int.of(lane)),
        *((r.numbers, Int.of(a)) for r, a in zip(c.outer, outer, strict=True)),
    ]


def axis_values(c: Contraction, index: Index, at: Positions) -> dict[Atom, int | Int]:
    """What to substitute for the axes in `index`, the contraction's own."""
    env: dict[Atom, int | Int] = {}
    for numbers, position in at:
        values = unflatten(position, tuple(c.value.shape[k] for k in numbers))
        for k, value in zip(numbers, values, strict=True):
            axis = axis_of(index[k])
            if axis is not None:
                env[axis] = value
    return env


def split_reduction(c: Contraction, most: int, inner: int = 0) -> tuple[list[AxisRole], AxisRole, AxisRole]:
    """Reduction axes for a kernel's own loops, and the micro-kernel's outer and inner one.

    most: steps of both of these together. inner: how many of the last axes are part of a step.
    """
    axes = packed_strides(list(c.k), c.columns) if c.packed else list(c.k)
    axes = axes[: len(axes) - inner]
    return split_axes(joined_in_a(axes) if c.packed else axes, most)


def split_axes(axes: list[AxisRole], most: int) -> tuple[list[AxisRole], AxisRole, AxisRole]:
    """The same of these axes."""
    one = AxisRole((), 1, 0, 0, 0)
    if len(axes) >= 2 and hint(axes[-1].extent) * hint(axes[-2].extent) <= most:
        return axes[:-2], axes[-2], axes[-1]
    return axes[:-1], one, axes[-1] if axes else one


def packed_strides(axes: list[AxisRole], columns: int) -> list[AxisRole]:
    """The reduction's axes as they lie in a packed panel: row-major, `columns` elements a step."""
    result: list[AxisRole] = []
    step: int | Int = columns
    for r in reversed(axes):
        result.append(AxisRole(r.numbers, r.extent, r.a, step, r.y))
        step = step * r.extent
    return list(reversed(result))


def joined_in_a(axes: list[AxisRole]) -> list[AxisRole]:
    """Neighbouring axes of the reduction that A walks as one."""
    result: list[AxisRole] = []
    for r in axes:
        if result and result[-1].a == r.extent * r.a:
            p = result.pop()
            r = AxisRole((*p.numbers, *r.numbers), p.extent * r.extent, r.a, r.b, r.y)
        result.append(r)
    return result
