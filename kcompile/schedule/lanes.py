"""Contractions of small groups, such as a grouped convolution's: a tile's lanes belong to several groups.

A group's few columns would leave most of a tile's lanes empty. Where the columns of all groups lie side by
side in the output, and the groups' elements of A along one more axis, a tile takes several groups: its lane
axis is (group, column), and each lane reads the elements of its own group (kernels/contract/grouped.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kcompile.core.symbolic import Int
from kcompile.schedule.roles import AxisRole

# (dtype, columns of a group, its elements of A, are these summed over) -> (rows, columns) of a tile.
Tile = Callable[[str, int, int, bool], "tuple[int, int] | None"]


@dataclass(frozen=True)
class Groups:
    """How the lanes of a tile divide into groups.

    columns: of a group. depth: elements of A of a group, side by side. step: from a group to the next in B.
    sums_depth: is the depth the innermost axis of the reduction? Else it is that of the rows.
    """

    columns: int
    depth: int
    step: int | Int
    sums_depth: bool


@dataclass(frozen=True)
class LaneAxis:
    """The lanes of such a contraction, (group, column), and the axes that they and the tile are made of."""

    lane: AxisRole
    column: AxisRole
    group: AxisRole
    depth: AxisRole
    groups: Groups
    rows: int
    tile_columns: int


def lane_axis_of(
    m: Sequence[AxisRole],
    n: Sequence[AxisRole],
    k: Sequence[AxisRole],
    outer: Sequence[AxisRole],
    dtype: str,
    tile: Tile | None,
) -> LaneAxis | None:
    """How several groups share the lanes, or None where they do not lie so, or are no whole vectors."""
    column = next((r for r in n if r.y == 1), None)
    group = next((r for r in outer if column is not None and r.y == column.extent), None)
    depth = next((r for r in (*m, *k) if r.a == 1 and group is not None and r.extent == group.a), None)
    if tile is None or column is None or group is None or depth is None:
        return None
    extents = (group.extent, column.extent, depth.extent)
    if not all(isinstance(e, int) for e in extents):
        return None
    count, columns, elements = map(int, extents)
    sums_depth = depth.y == 0
    found = tile(dtype, columns, elements, sums_depth)
    if found is None or count * columns % found[1]:
        return None
    lane = AxisRole((*group.numbers, *column.numbers), count * columns, 0, column.b, 1)
    groups = Groups(columns, elements, group.b, sums_depth)
    return LaneAxis(lane, column, group, depth, groups, *found)
