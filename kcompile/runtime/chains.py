"""Chains with numbers: which kernels of a program run slice by slice, and what needs no more than a slice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kcompile.codegen.chains import LEAST_UNITS, cuts_of
from kcompile.codegen.spec import KernelSpec
from kcompile.core import symbolic
from kcompile.core.dtypes import itemsize
from kcompile.ir.graph import Value
from kcompile.kernels.host import host
from kcompile.schedule.memory import Lifetime, lives, place

PER_THREAD = 4  # so few units, and threads wait for the last one; twice as many are as good as more


@dataclass(frozen=True)
class Chain:
    """Kernels `first` to `last` of a program, run in `units` chunks; one kernel alone is a chain, too.

    slices: of what nothing else touches: where each thread's own slice begins in its private memory, and its
    bytes. size: bytes of all of them.
    """

    first: int
    last: int
    units: int = 1
    slices: Mapping[Value, tuple[int, int]] = field(default_factory=dict)
    size: int = 0

    @property
    def numbers(self) -> range:
        return range(self.first, self.last + 1)


def each_alone(count: int) -> list[Chain]:
    """As many kernels, none in a chain with another."""
    return [Chain(k, k) for k in range(count)]


def chains_of(
    specs: Sequence[KernelSpec], symbols: Mapping[str, int], threads: int, intermediate: Iterable[Value]
) -> list[Chain]:
    """All kernels of a program, in order, as chains for these extents."""
    spans: list[tuple[int, int, int]] = []
    first = 0
    while first < len(specs):
        last, units = first, 1
        while last + 1 < len(specs) and specs[last + 1].follows:
            more = _units(specs[first : last + 2], symbols, threads)
            if more == 1:
                break
            last, units = last + 1, more
        spans.append((first, last, units))
        first = last + 1
    users: dict[Value, list[int]] = {v: [] for v in intermediate}
    for k, spec in enumerate(specs):
        for v in spec.buffers:
            if v in users:
                users[v].append(k)
    return [_chain(specs, symbols, users, *span) for span in spans]


def _chain(
    specs: Sequence[KernelSpec],
    symbols: Mapping[str, int],
    users: Mapping[Value, Sequence[int]],
    first: int,
    last: int,
    units: int,
) -> Chain:
    if units == 1:
        return Chain(first, last)
    chain = specs[first : last + 1]
    found: dict[Value, Lifetime] = {}
    for v, life in lives(spec.buffers for spec in chain).items():
        own = [first <= k <= last and v in _own(specs[k]) for k in users.get(v, ())]
        if own and all(own):
            found[v] = Lifetime(_bytes(v, symbols) // units, *life)
    offsets, size = place(list(found.values()))
    slices = {v: (at, life.size) for at, (v, life) in zip(offsets, found.items(), strict=True)}
    return Chain(first, last, units, slices, size)


def _units(chain: Sequence[KernelSpec], symbols: Mapping[str, int], threads: int) -> int:
    """As few as let a unit's slices fit the second-level cache, which all of them do not; 1 where that gains
    nothing. Units cost a call of each kernel.
    """
    own = {v for spec in chain for v in _own(spec)}
    size = sum(_bytes(v, symbols) for v in own)
    cuts = cuts_of(chain, lambda n: symbolic.evaluate(n, symbols))
    enough = [d for d in cuts if d >= max(LEAST_UNITS, PER_THREAD * threads)]
    if size <= near_bytes() or not enough:
        return 1
    near = (d for d in enough if d >= 2 * PER_THREAD * threads and size <= d * near_bytes())
    return next(near, enough[-1])


def near_bytes() -> int:
    """What a core keeps near beside the operands that all units read."""
    return host().l2 // 2


def _bytes(v: Value, symbols: Mapping[str, int]) -> int:
    return symbolic.evaluate(v.type.size, symbols) * itemsize(v.dtype)


def _own(spec: KernelSpec) -> tuple[Value, ...]:
    return spec.slices.own if spec.slices is not None else ()


def private_words(chain: Chain, spec: KernelSpec, private: int) -> list[int]:
    """What gives each thread its own slices (see `executor`); nothing where a kernel touches none of them.

    private: where the slices begin in a thread's scratch memory; its argument block comes behind them.
    """
    words = []
    for slot, v in enumerate(spec.buffers):
        if v in chain.slices:
            at, size = chain.slices[v]
            words += [slot, private + at, size]
    length = len(spec.buffers) + len(spec.numbers)
    return [length, private + chain.size, len(words) // 3, *words] if words else []


def private_bytes(chains: Iterable[Chain], specs: Sequence[KernelSpec]) -> int:
    """What a thread needs at most."""
    blocks = [
        8 * (len(specs[k].buffers) + len(specs[k].numbers)) for c in chains if c.size for k in c.numbers
    ]
    return max((c.size for c in chains), default=0) + max(blocks, default=0)
