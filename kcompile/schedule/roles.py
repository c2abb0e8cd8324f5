"""Axes of a contraction by role, with their strides in each operand and the output."""

from __future__ import annotations

from dataclasses import dataclass

from kcompile.core import symbolic
from kcompile.core.symbolic import Int

BATCH_HINT = 128  # what a symbolic extent is taken for when costs are compared


@dataclass(frozen=True)
class AxisRole:
    """An axis (its number among the node's axes, several where they were joined) with element strides; 0:
    absent.
    """

    numbers: tuple[int, ...]
    extent: int | Int
    a: int | Int
    b: int | Int
    y: int | Int


def hint(extent: int | Int) -> int:
    """A number to compare costs with."""
    if isinstance(extent, int):
        return extent
    names = {a.name: BATCH_HINT for a in extent.atoms()}
    return max(1, symbolic.evaluate(extent, names))


def merge(axes: list[AxisRole], by: tuple[str, ...]) -> list[AxisRole]:
    """Neighbouring axes joined where each named stride says that the outer one continues the inner."""
    result: list[AxisRole] = []
    for r in axes:
        if result and all(getattr(result[-1], s) == r.extent * getattr(r, s) for s in by):
            p = result.pop()
            r = AxisRole((*p.numbers, *r.numbers), p.extent * r.extent, r.a, r.b, r.y)
        result.append(r)
    return result
