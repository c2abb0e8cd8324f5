"""Places the boxes of a graph in rows, so that edges run one way and cross seldom.

The method of Sugiyama, Tagawa and Toda (1981): a row per longest way from a source, bends where an edge
passes a row, rows sorted by the mean place of their neighbours, then places as near to the neighbours as
boxes allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 8
GAP_ACROSS, GAP_ALONG = 28.0, 44.0  # between boxes of a row, and between rows
BEND = 8.0  # the room that an edge takes where it passes a row

Point = tuple[float, float]


@dataclass(frozen=True)
class Placed:
    """centers of the boxes; edges as points from the end of one box to the beginning of the next."""

    centers: list[Point]
    edges: list[list[Point]]
    width: float
    height: float


def place(sizes: Sequence[Point], edges: Sequence[tuple[int, int]]) -> Placed:
    """Places for boxes of these (width, height). Edges run downwards, but for those that close a cycle."""
    edges = [(a, b) for a, b in edges if a != b]
    upwards = _closing(len(sizes), edges)
    down = [(b, a) if (a, b) in upwards else (a, b) for a, b in edges]
    graph = _Rows(sizes, _rows(len(sizes), down))
    chains = [graph.chain(a, b) for a, b in down]
    for sweep in range(SWEEPS):
        graph.sort(downwards=sweep % 2 == 0)
    graph.settle()
    tops, heights = graph.tops()
    middle = [tops[r] + heights[r] / 2 for r in graph.row]
    left = min((graph.x[k] - graph.width[k] / 2 for k in range(len(graph.x))), default=0.0)
    right = max((graph.x[k] + graph.width[k] / 2 for k in range(len(graph.x))), default=0.0)
    centers = [(graph.x[k] - left, middle[k]) for k in range(len(graph.x))]
    lines = []
    for edge, chain in zip(edges, chains, strict=True):
        first, last = chain[0], chain[-1]
        begin = (centers[first][0], middle[first] + sizes[first][1] / 2)
        end = (centers[last][0], middle[last] - sizes[last][1] / 2)
        line = [begin, *(centers[k] for k in chain[1:-1]), end]
        lines.append(line[::-1] if edge in upwards else line)
    bottom = tops[-1] + heights[-1] if tops else 0.0
    return Placed(centers[: len(sizes)], lines, right - left, bottom)


def _closing(count: int, edges: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Edges that lead back to a box on the way to them; without these there is no cycle."""
    followers: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        followers[a].append(b)
    found, state = set(), [0] * count  # 0: not met, 1: on the way, 2: done
    for root in range(count):
        stack = [(root, iter(followers[root]))] if not state[root] else []
        state[root] = state[root] or 1
        while stack:
            box, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[box] = 2
                stack.pop()
            elif state[following] == 1:
                found.add((box, following))
            elif not state[following]:
                state[following] = 1
                stack.append((following, iter(followers[following])))
    return found


def _rows(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The longest way from a source to each box; a source comes right above the first box that it feeds."""
    waiting = [0] * count
    followers: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        waiting[b] += 1
        followers[a].append(b)
    row, ready = [0] * count, [k for k in range(count) if not waiting[k]]
    sources = set(ready)
    for k in ready:
        for b in followers[k]:
            row[b] = max(row[b], row[k] + 1)
            waiting[b] -= 1
            if not waiting[b]:
                ready.append(b)
    for k in sources:  # near to what they feed
        row[k] = min((row[b] - 1 for b in followers[k]), default=0)
    return row


class _Rows:
    """Boxes and bends by row, with their neighbours above and below."""

    def __init__(self, sizes: Sequence[Point], rows: list[int]):
        self.row = list(rows)
        self.width = [w for w, _ in sizes]
        self.height = [h for _, h in sizes]
        self.above: list[list[int]] = [[] for _ in sizes]
        self.below: list[list[int]] = [[] for _ in sizes]
        self.members: list[list[int]] = [[] for _ in range(max(rows, default=-1) + 1)]
        for k, r in enumerate(rows):
            self.members[r].append(k)
        self.x: list[float] = [0.0] * len(sizes)

    def chain(self, a: int, b: int) -> list[int]:
        """The edge from a to b with a bend in every row between."""
        ends = [a]
        for row in range(self.row[a] + 1, self.row[b]):
            ends.append(len(self.row))
            self.row.append(row)
            self.width.append(BEND)
            self.height.append(0.0)
            self.x.append(0.0)
            self.above.append([])
            self.below.append([])
            self.members[row].append(ends[-1])
        ends.append(b)
        for upper, lower in pairwise(ends):
            self.below[upper].append(lower)
            self.above[lower].append(upper)
        return ends

    def sort(self, downwards: bool) -> None:
        """Sort each row by the mean position of its neighbours in the row before."""
        neighbours = self.above if downwards else self.below
        for members in self.members if downwards else self.members[::-1]:
            spot = {k: float(n) for row in self.members for n, k in enumerate(row)}
            key = {k: _mean([spot[n] for n in neighbours[k]], spot[k]) for k in members}
            members.sort(key=lambda k, key=key: key[k])  # type: ignore[misc]

    def settle(self) -> None:
        """Give every box its place across: near the mean of its neighbours, in the order of its row."""
        for members in self.members:
            self._spread(members, [0.0] * len(members))
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            neighbours = self.above if down else self.below
            for members in self.members if down else self.members[::-1]:
                wishes = [_mean([self.x[n] for n in neighbours[k]], self.x[k]) for k in members]
                self._spread(members, wishes)

    def _spread(self, members: list[int], wishes: list[float]) -> None:
        """Places without overlap: pushed to the right, pushed to the left, and the mean of both."""
        if not members:
            return
        apart = [(self.width[a] + self.width[b]) / 2 + self._gap(a, b) for a, b in pairwise(members)]
        right, left = list(wishes), list(wishes)
        for n, distance in enumerate(apart):
            right[n + 1] = max(right[n + 1], right[n] + distance)
        for n in range(len(apart) - 1, -1, -1):
            left[n] = min(left[n], left[n + 1] - apart[n])
        for k, a, b in zip(members, left, right, strict=True):
            self.x[k] = (a + b) / 2

    def _gap(self, a: int, b: int) -> float:
        """Less between edges that pass, which have no height."""
        return GAP_ACROSS if self.height[a] or self.height[b] else 0.0

    def tops(self) -> tuple[list[float], list[float]]:
        """Where each row begins, and how high it is."""
        heights = [max((self.height[k] for k in members), default=0.0) for members in self.members]
        tops, y = [], 0.0
        for height in heights:
            tops.append(y)
            y += height + GAP_ALONG
        return tops, heights


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
