"""A contraction's output axes as functions of a kernel's own variables: row, lane and outer indices."""

from __future__ import annotations

from collections.abc import Sequence

from kcompile.core.symbolic import Atom, Int
from kcompile.ir.loops import Axis, Index, axis_of
from kcompile.ops.movement import unflatten
from kcompile.schedule.contraction import Contraction


def axis_values(
    c: Contraction, index: Index, row: Axis, lane: Axis, outer: Sequence[Axis]
) -> dict[Atom, int | Int]:
    """What to substitute for the axes in `index`, the contraction's own."""
    env: dict[Atom, int | Int] = {}

    def assign(numbers: tuple[int, ...], position: int | Int) -> None:
        values = unflatten(position, tuple(c.value.shape[k] for k in numbers))
        for k, value in zip(numbers, values, strict=True):
            axis = axis_of(index[k])
            if axis is not None:
                env[axis] = value

    if c.m:
        assign(tuple(k for r in c.m for k in r.numbers), Int.of(row))
    assign(c.n.numbers, Int.of(lane))
    for r, axis in zip(c.outer, outer, strict=True):
        assign(r.numbers, Int.of(axis))
    return env
