"""Kernels that run slice by slice, one right behind the other, so that a slice is still near.

Attention is the example: the scores of one head fit a core's own cache, those of all heads do not. A chain of
kernels computes them, makes them probabilities and multiplies by these before it goes on to the next head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import gcd

from kcompile.codegen.spec import KernelSpec
from kcompile.core.symbolic import Int
from kcompile.ir.graph import Value
from kcompile.schedule.order import peak
from kcompile.schedule.roles import hint

WINDOW = 32  # a chain's kernels are among so many
LEAST_UNITS, MOST_UNITS = 8, 128
MOST_GROWTH = 1.02  # of the memory that is needed at once


def side_by_side(
    specs: Sequence[KernelSpec], sizes: Mapping[Value, int]
) -> tuple[list[KernelSpec], list[int]]:
    """The specs in an order that is as right, chains marked, and the numbers that they had; as they are, if
    the memory that is needed at once would grow by more than MOST_GROWTH.

    sizes: bytes of what lies in the arena.
    """
    finder = _Finder(specs)
    chains: list[list[int]] = []
    left = list(range(len(specs)))
    while left:
        before, members = finder.chain(left[:WINDOW])
        taken = {*before, *members}
        chains += [*([k] for k in before), members]
        left = [k for k in left if k not in taken]
    if finder.peak(chains, sizes) > MOST_GROWTH * finder.peak([[k] for k in range(len(specs))], sizes):
        return list(specs), list(range(len(specs)))
    ordered = [spec for members in chains for spec in _marked([specs[k] for k in members])]
    return ordered, [k for members in chains for k in members]


def cuts_of(chain: Sequence[KernelSpec], number: Callable[[int | Int], int]) -> list[int]:
    """Into how many equal runs of whole tiles all of these can be cut, up to MOST_UNITS, ascending."""
    common = 0
    for spec in chain:
        assert spec.slices is not None
        count, per_tile = number(spec.slices.count), spec.slices.per_tile
        common = gcd(common, count // per_tile if count % per_tile == 0 else 1)
    return [d for d in range(1, MOST_UNITS + 1) if common % d == 0]


class _Finder:
    """Looks for chains among specs, which go by their numbers."""

    def __init__(self, specs: Sequence[KernelSpec]) -> None:
        self.specs = specs
        self.touched = [frozenset(s.buffers) for s in specs]
        self.written = [frozenset(s.writes) for s in specs]
        self.own = [frozenset(s.slices.own if s.slices else ()) for s in specs]

    def chain(self, left: Sequence[int]) -> tuple[list[int], list[int]]:
        """The chain that begins with the first of these, and what must run before it."""
        first, *rest = left
        members, blocked = [first], set[int]()  # blocked: wait for a member
        if not any(self.own[first] & self.own[k] for k in rest):
            return [], members
        waits_for: dict[int, list[int]] = {first: []}
        for place, k in enumerate(rest, start=1):
            waits_for[k] = [j for j in left[:place] if self._shared(j, k)]
            if blocked.isdisjoint(waits_for[k]) and self._fits(members, k):
                members.append(k)
            elif not {*blocked, *members}.isdisjoint(waits_for[k]):
                blocked.add(k)
        before = set[int]()
        for k in reversed(rest[: rest.index(members[-1]) + 1] if len(members) > 1 else []):
            awaited = any(k in waits_for[j] for j in before)  # by what runs before all members
            if k in before and not awaited and self._fits(members, k):
                before.remove(k)
                members.append(k)
            if k in before or k in members:
                before.update(j for j in waits_for[k] if j not in members)
        return [k for k in rest if k in before], [k for k in left if k in members]

    def peak(self, chains: Sequence[Sequence[int]], sizes: Mapping[Value, int]) -> int:
        """Bytes needed at once, if each chain runs as one and what nobody else touches needs nothing."""
        steps: dict[Value, set[int]] = {}
        for step, members in enumerate(chains):
            for k in members:
                for v in self.touched[k]:
                    steps.setdefault(v, set()).add(step)
        touched = [frozenset[Value]().union(*(self.touched[k] for k in members)) for members in chains]
        inner = {
            v
            for members, values in zip(chains, touched, strict=True) if len(members) > 1
            for v in values
            if len(steps[v]) == 1 and all(v in self.own[k] for k in members if v in self.touched[k])
        }  # fmt: skip
        return peak([{*values} - inner for values in touched], sizes)

    def _fits(self, members: Sequence[int], k: int) -> bool:
        """May a spec run on a slice between members of a chain, and is it worth it?

        Of all that it or one of them writes and both touch, each touches its own slices alone. It is worth it
        if they touch the same slices, written or not.
        """
        own = self.own[k]
        if not any(own & self.own[m] for m in members):
            return False
        if not all(self._shared(m, k) <= own & self.own[m] for m in members):
            return False
        return cuts_of([self.specs[m] for m in (*members, k)], hint)[-1] >= LEAST_UNITS

    def _shared(self, a: int, b: int) -> frozenset[Value]:
        """What both touch and one of them writes."""
        return self.touched[a] & self.written[b] | self.written[a] & self.touched[b]


def _marked(chain: list[KernelSpec]) -> list[KernelSpec]:
    return [chain[0], *(replace(spec, follows=True) for spec in chain[1:])]
