"""Which elements the tiles of a kernel touch: is a buffer cut along the tiles' own axes?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kcompile.codegen.expressions import Names
from kcompile.codegen.spec import Slices
from kcompile.core import symbolic
from kcompile.core.symbolic import Int, product
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.loops import Axis, Expr
from kcompile.ir.views import View, flat_offset
from kcompile.schedule.contraction import AxisRole, Contraction

Access = tuple[Value, "int | Int"]  # a buffer, and which of its elements: an integer over axes
Stores = Iterable[tuple[Value, loops.Index, Expr]]


def slices_of(axes: Sequence[Axis], per_tile: int, accesses: Iterable[Access]) -> Slices | None:
    """What is known of a kernel whose tiles go along `axes`, the outermost first; None where no buffer is cut
    as the tiles are.
    """
    axes = [a for a in axes if a.extent != 1]
    count = product(a.extent or 0 for a in axes)
    own: dict[Value, bool] = {}
    for memory, offset in accesses:
        own[memory] = own.get(memory, True) and _lies_in_own_slice(offset, axes, memory.type.size, count)
    found = tuple(memory for memory, is_own in own.items() if is_own)
    return Slices(count, per_tile, found) if axes and found else None


def slices_of_contraction(c: Contraction, outer: list[Axis], names: Names, stores: Stores) -> Slices | None:
    """The same of a contraction, whose tiles go along its outer axes first; packed operands are left out."""
    if c.parts > 1 or c.groups is not None:  # lanes read A, too
        return None
    accesses = [*_accesses_of(names, stores), (names.memory(c.a.base), _offset(c, c.a, "a", outer))]
    if not c.packed:
        accesses.append((names.memory(c.b.base), _offset(c, c.b, "b", outer)))
    return slices_of(outer, 1, accesses)


def slices_of_loop(axes: Sequence[Axis], per_tile: int, names: Names, stores: Stores) -> Slices | None:
    """The same of a nest of loops."""
    return slices_of(axes, per_tile, _accesses_of(names, stores))


def _accesses_of(names: Names, stores: Stores) -> Iterable[Access]:
    for target, index, expr in stores:
        yield names.memory(target), flat_offset(target, index)
        for part in loops.walk(expr):
            if part.op == "load":
                yield names.memory(part.attr[0]), flat_offset(*part.attr)


def _offset(c: Contraction, operand: View, stride: str, outer: list[Axis]) -> int | Int:
    """Of all elements that are read from an operand."""
    steps = zip(c.outer, outer, strict=True)
    roles: list[tuple[AxisRole, Axis]] = [*steps, *((r, Axis(r.extent)) for r in (*c.m, c.n, *c.k))]
    offset: int | Int = operand.offset
    for role, axis in roles:
        offset = offset + getattr(role, stride) * Int.of(axis)
    return offset


def _lies_in_own_slice(offset: int | Int, axes: Sequence[Axis], size: int | Int, count: int | Int) -> bool:
    """Is the element part of the slice that the axes together are the number of?"""
    length = symbolic.floordiv(size, count) if count != 0 else 0
    if length * count != size:
        return False
    within, step = offset, length
    for axis in reversed(axes):
        within = within - step * Int.of(axis)
        step = step * (axis.extent or 0)
    return symbolic.lies_in(within, length)
