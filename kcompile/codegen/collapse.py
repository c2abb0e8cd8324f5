"""Joining neighbouring axes that every access walks in step: fewer loops, longer vectors, and more kernels
that are equal.
"""

from __future__ import annotations

from kcompile.core import symbolic
from kcompile.core.symbolic import Atom, Int
from kcompile.ir import loops
from kcompile.ir.loops import Axis, Expr


def offsets_of(exprs: list[Expr], targets: list[int | Int], flat: dict) -> list[int | Int]:
    """Every symbolic integer that depends on axes: load offsets, index numbers, store offsets."""
    found: list[int | Int] = list(targets)
    for e in exprs:
        for part in loops.walk(e):
            if part.op == "load":
                found.append(flat[part.attr])
            elif part.op == "index":
                found.append(part.attr)
    return found


def can_join(first: Axis, second: Axis, offsets: list[int | Int]) -> bool:
    """Do all accesses walk the two axes as one?"""
    if second.extent is None:
        return False
    for offset in offsets:
        a, b = symbolic.coefficient_of(offset, first), symbolic.coefficient_of(offset, second)
        if a is None or b is None or a != second.extent * b:
            return False
    return True


def joined(first: Axis, second: Axis) -> tuple[Axis, dict[Atom, int | Int]]:
    """The joined axis and the substitution that puts it in."""
    assert first.extent is not None and second.extent is not None
    axis = Axis(first.extent * second.extent)
    return axis, {first: 0, second: Int.of(axis)}
