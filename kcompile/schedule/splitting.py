"""A kernel's axes split into those of a kernel that it reads in the same order, but in another shape."""

from __future__ import annotations

from kcompile.core.symbolic import Atom, Int, substitute
from kcompile.ir.graph import Value
from kcompile.ir.loops import Axis
from kcompile.schedule.group import Group

Parts = list[tuple[Axis, ...]]


def in_axes_of(producer: Group, consumer: Group, named: set[Value]) -> Group | None:
    """The consumer over as many axes as the producer has, of the same extents: itself if these are its own,
    and None where one of its axes is no product of some of them.
    """
    parts = _parts(consumer.axes, producer.axes)
    if parts is None:
        return None
    if len(parts) == len(producer.axes):
        return consumer
    place: dict[Atom, int | Int] = {
        axis: _row_major(new) for axis, new in zip(consumer.axes, parts, strict=True)
    }
    group = Group(tuple(axis for new in parts for axis in new))
    group.index = {v: tuple(substitute(i, place) for i in index) for v, index in consumer.index.items()}
    group.refresh(named)
    return group


def _parts(axes: tuple[Axis, ...], fine: tuple[Axis, ...]) -> Parts | None:
    """New axes for each of `axes`, of extents that together are those of `fine`."""
    parts: Parts = []
    rest = list(fine)
    for axis in axes:
        new: tuple[Axis, ...] = ()
        size: int | Int = 1
        whole = _extent(axis)
        while size != whole or not new:
            if not rest or (isinstance(size, int) and isinstance(whole, int) and size > whole):
                return None
            extent = _extent(rest.pop(0))
            new, size = (*new, Axis(extent)), size * extent
        parts.append(new)
    return None if rest else parts


def _row_major(axes: tuple[Axis, ...]) -> int | Int:
    position: int | Int = 0
    for axis in axes:
        position = position * _extent(axis) + Int.of(axis)
    return position


def _extent(axis: Axis) -> int | Int:
    assert axis.extent is not None
    return axis.extent
