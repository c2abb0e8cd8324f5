"""A plan with its machine code, bound to numbers: a command list over one arena."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile.codegen.spec import KernelSpec, Listing
from kcompile.core import dtypes, symbolic
from kcompile.core.lazy import lazy
from kcompile.ir.graph import Value
from kcompile.ir.traits import Leaf
from kcompile.runtime.chains import Chain, chains_of, each_alone, private_bytes, private_words
from kcompile.runtime.executor import BARRIER, CHAINED, COMMAND_WORDS, SERIAL
from kcompile.runtime.nested import Description, describe, kernels_of
from kcompile.runtime.team import CommandList, team
from kcompile.schedule.memory import Lifetime, lives, place, rounded
from kcompile.schedule.plan import Plan

SMALL_WORK = 60_000  # elements (16 flops count as one): a program below this runs on the calling thread alone
SMALL_COMMAND = 7_500  # the same for a command: another thread's share must be worth its barrier
CHUNKS = 128  # of a command with as many tiles: a claim takes as long as thousands of flops
SCRATCH_SLACK = 4096
# Of intermediate values: more would come from main memory. MobileNetV2 of 128 images, 4 at a time: 342 ms,
# 16: 396, 64: 524, all: 623 (an Intel Granite Rapids).
BLOCK_BYTES = 32 << 20
MOST_REPEATED = 0.1  # of a program's work


_alive: weakref.WeakSet[Any] = weakref.WeakSet()  # whatever holds a lock


def _after_fork() -> None:
    """A lock that another thread held when the process forked would stay locked in the child."""
    for one in _alive:
        one.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@dataclass(eq=False)
class Bound:
    """A program for given symbols: commands, argument blocks, arena, and where arrays are patched in."""

    commands: np.ndarray
    listed: CommandList
    arguments: np.ndarray
    arena: np.ndarray
    places: list[list[int]]  # where the address of each input and output belongs in the argument blocks
    scratch: int
    threads: int | None  # 1 where waking others costs more than it saves
    results: list[tuple[tuple[int, ...], np.dtype]]  # shapes and dtypes of the outputs
    lock: threading.Lock
    described: list[Description]  # of the loops among the commands
    chains: list[Chain]  # of the commands
    private: list[np.ndarray]  # what commands say of threads' own slices
    ends: list[tuple[int, int, int]]  # (last command, offset, bytes) of each buffer in the arena
    block: int  # rows that are computed at a time; 0: all

    def __post_init__(self) -> None:
        self.words = memoryview(self.arguments)  # type: ignore[arg-type]  # faster than NumPy, word by word
        _alive.add(self)

    def renew_lock(self) -> None:
        self.lock = threading.Lock()


@dataclass(frozen=True)
class ArenaRange:
    """Where an intermediate value lies in the arena, and from which command to which it is needed."""

    value: Value
    offset: int
    size: int
    first: int
    last: int


class Program:
    """The kernels of a listing with their machine code, ready to be bound.

    plan: what the listing was made from; None where it was read from the cache.
    """

    def __init__(
        self,
        listing: Listing,
        addresses: Sequence[int],
        variables: Mapping[Value, np.ndarray],
        plan: Plan | None = None,
    ):
        rest = iter(addresses)
        rows = [(s, next(rest), [next(rest) for _ in range(kernels_of(s) - 1)]) for s in listing.specs]
        self.listing, self.variables, self._plan = listing, variables, plan
        self.preparation = [(s, a) for s, a, _ in rows if set(s.writes) <= listing.prepared]
        run = [row for row in rows if not set(row[0].writes) <= listing.prepared]
        self.specs, self.addresses = [s for s, _, _ in run], [a for _, a, _ in run]
        self.repeated = [within for _, _, within in run]  # addresses of the kernels that each one repeats
        self.assigns = listing.assigns
        self._prepared: dict[Value, np.ndarray] = {}
        self._prepared_at = -1
        self._preparing = threading.Lock()  # programs bound to several batch sizes share what is prepared
        _alive.add(self)
        self.inputs, self.outputs = list(listing.inputs), list(listing.outputs)
        self.external = {*self.inputs, *self.outputs}

    @property
    def plan(self) -> Plan:
        """Graph and kernel IR, for who explains or checks a program that was compiled for it."""
        assert self._plan is not None, "read from the cache: compile_graph(graph, planned=True) makes a plan"
        return self._plan

    def renew_lock(self) -> None:
        self._preparing = threading.Lock()

    def bind(self, symbols: Mapping[str, int], one_by_one: bool = False) -> Bound:
        """Numbers for every extent: argument blocks, tile counts, arena offsets, barriers.

        one_by_one: every kernel ends before the next one begins, and all that they write can be read.
        """
        symbols = dict(symbols)
        chains = each_alone(len(self.specs)) if one_by_one else self.chains(symbols)
        placed, total = self._place(symbols, chains)
        arena = _aligned(total)
        base = arena.ctypes.data
        at = {r.value: base + r.offset for r in placed}
        at |= {v: 0 for chain in chains for v in chain.slices}  # each thread puts its own address there
        blocks: list[int] = []
        patches: dict[Value, list[int]] = {}
        starts = []
        described: list[Description] = []
        for spec, within in zip(self.specs, self.repeated, strict=True):
            starts.append(len(blocks))
            if spec.nested is not None:
                described.append(describe(spec.nested, spec.buffers, iter(within), symbols))
                blocks.append(described[-1].address)
            for v in spec.buffers:
                if v in at:
                    blocks.append(at[v])
                elif v in self.external:
                    patches.setdefault(v, []).append(len(blocks))
                    blocks.append(0)
                else:
                    blocks.append(self._address(v))
            blocks.extend(symbolic.evaluate(n, symbols) for n in spec.numbers)
        arguments = np.array(blocks or [0], np.int64)
        places = [arguments.ctypes.data + 8 * start for start in starts]
        ranges = {r.value: (r.offset, r.offset + r.size) for r in placed}
        commands, threads = _commands(self.specs, self.addresses, places, chains, ranges, symbols)
        needed = [symbolic.evaluate(s.scratch, symbols) for s in self.specs] + [d.scratch for d in described]
        scratch = rounded(max(needed, default=0) + SCRATCH_SLACK)
        private: list[np.ndarray] = []
        for chain in chains:
            for k in chain.numbers:
                if words := private_words(chain, self.specs[k], scratch):
                    private.append(np.array(words, np.int64))
                    commands[k, 5] = private[-1].ctypes.data
        scratch += private_bytes(chains, self.specs) + SCRATCH_SLACK * bool(private)
        shapes = [tuple(symbolic.evaluate(d, symbols) for d in v.shape) for v in self.outputs]
        output_dtypes = [dtypes.numpy_dtype(v.dtype) for v in self.outputs]
        return Bound(
            commands,
            CommandList(commands),
            arguments,
            arena,
            [patches.get(v, []) for v in (*self.inputs, *self.outputs)],
            scratch,
            threads,
            list(zip(shapes, output_dtypes, strict=True)),
            threading.Lock(),
            described,
            chains,
            private,
            [(r.last, r.offset, r.size) for r in placed],
            self._block(symbols, total),
        )

    def _block(self, symbols: Mapping[str, int], arena: int) -> int:
        """How many rows at a time: as few as make their intermediate values no larger than BLOCK_BYTES, or
        than what every block reads anew, the weights. All, where blocks would repeat much that has no rows.
        """
        name = self.listing.rows or ""
        rows, limit = symbols.get(name, 0), max(BLOCK_BYTES, self._read_bytes)
        if rows <= 1 or arena <= limit:
            return 0
        one = {**symbols, name: 1}
        blocks = -(-(arena - self._place(one, self.chains(one))[1]) // limit)
        work = self._work(symbols)
        repeated = (rows * self._work(one) - work) // (rows - 1)  # of a block: what a row does not add to
        return -(-rows // blocks) if blocks > 1 and blocks * repeated <= MOST_REPEATED * work else 0

    def _work(self, symbols: Mapping[str, int]) -> int:
        return sum(symbolic.evaluate(spec.work, symbols) for spec in self.specs)

    @lazy
    def _read_bytes(self) -> int:
        """Of variables, constants and packed weights that a run reads."""
        read = {v for spec in self.specs for v in spec.buffers}
        return sum(
            self._bytes(v, {}) for v in read if v not in self.external and not self._is_intermediate(v)
        )

    def prepare(self, now: int) -> None:
        """Fill what depends on unchanging variables only, if any variable was written since it was last
        filled.

        now: the count of writes to variables so far (`trace.variable.writes`).
        """
        if self._prepared_at == now:
            return
        with self._preparing:
            if self._prepared_at == now:  # another thread was faster
                return
            commands, _, scratch, threads = self._preparing_commands
            team().run(commands, 1, threads=threads, scratch=scratch)
            self._prepared_at = now

    @lazy
    def _preparing_commands(self) -> tuple[np.ndarray, np.ndarray, int, int | None]:
        """Commands, the argument blocks that they point to, scratch memory, and threads."""
        specs = [spec for spec, _ in self.preparation]
        blocks: list[int] = []
        starts = []
        for spec in specs:
            starts.append(len(blocks))
            blocks += [self._address(v) for v in spec.buffers]
            blocks += [symbolic.evaluate(n, {}) for n in spec.numbers]
        arguments = np.array(blocks, np.int64)
        places = [arguments.ctypes.data + 8 * start for start in starts]
        chains = each_alone(len(specs))
        commands, threads = _commands(specs, [a for _, a in self.preparation], places, chains, {}, {})
        scratch = max(symbolic.evaluate(s.scratch, {}) for s in specs) + SCRATCH_SLACK
        return commands, arguments, scratch, threads

    def _bytes(self, v: Value, symbols: Mapping[str, int]) -> int:
        return symbolic.evaluate(v.type.size, symbols) * dtypes.itemsize(v.dtype)

    def _address(self, v: Value) -> int:
        if v.op.leaf is Leaf.CONSTANT:
            array: np.ndarray = v.node.attrs["value"].array
            return array.ctypes.data
        if v in self.listing.prepared:
            if v not in self._prepared:
                self._prepared[v] = _aligned(self._bytes(v, {}))
            return self._prepared[v].ctypes.data
        return self.variables[v].ctypes.data

    def arena(self, symbols: Mapping[str, int]) -> list[ArenaRange]:
        """The memory plan for these numbers: a range for every intermediate value."""
        return self._place(symbols, self.chains(symbols))[0]

    def chains(self, symbols: Mapping[str, int]) -> list[Chain]:
        """All kernels, those together that run slice by slice for these extents."""
        inner = filter(self._is_intermediate, {v: None for spec in self.specs for v in spec.buffers})
        return chains_of(self.specs, symbols, team().threads, inner)

    def kept_bytes(self) -> int:
        """What the program uses and keeps from run to run: variables, and packed weights."""
        return sum(a.nbytes for a in (*self.variables.values(), *self._prepared.values()))

    def _is_intermediate(self, v: Value) -> bool:
        is_leaf = v.op.leaf in (Leaf.CONSTANT, Leaf.VARIABLE)
        return not is_leaf and v not in self.external and v not in self.listing.prepared

    def _place(self, symbols: Mapping[str, int], chains: Sequence[Chain]) -> tuple[list[ArenaRange], int]:
        """The ranges, and the arena's size. What a chain touches is needed as long as the chain runs."""
        touched = [_in_arena(self.specs, chain) for chain in chains for _ in chain.numbers]
        own = lives(filter(self._is_intermediate, values) for values in touched)
        needed = [Lifetime(self._bytes(v, symbols), *life) for v, life in own.items()]
        offsets, total = place(needed)
        return [
            ArenaRange(v, at, one.size, one.first, one.last)
            for v, at, one in zip(own, offsets, needed, strict=True)
        ], total


def _commands(
    specs: Sequence[KernelSpec],
    addresses: Sequence[int],
    places: Sequence[int],
    chains: Sequence[Chain],
    ranges: Mapping[Value, tuple[int, int]],
    symbols: Mapping[str, int],
) -> tuple[np.ndarray, int | None]:
    """The team's commands for kernels at these addresses, with argument blocks at these places; and how many
    threads are worth waking for them, None for all.
    """
    commands = np.zeros((len(specs), COMMAND_WORDS), np.int64)
    work = 0
    for chain, barrier in zip(chains, _barriers(specs, chains, ranges), strict=True):
        for k in chain.numbers:
            tiles = symbolic.evaluate(specs[k].tiles, symbols)
            own = symbolic.evaluate(specs[k].work, symbols)
            work += own
            if chain.units > 1:
                grain, flags = tiles // chain.units, CHAINED if k > chain.first else 0
            else:
                grain, flags = _grain(tiles), SERIAL if tiles <= 1 or own < SMALL_COMMAND else 0
            flags |= BARRIER if barrier and k == chain.first else 0
            commands[k, :5] = addresses[k], places[k], tiles, grain, flags
    return commands, 1 if work < max(SMALL_WORK, SMALL_COMMAND * len(specs)) else None


def _barriers(
    specs: Sequence[KernelSpec], chains: Sequence[Chain], ranges: Mapping[Value, tuple[int, int]]
) -> list[bool]:
    """Before which chains all earlier ones must finish: a read after a write, or another write."""
    barriers = [False] * len(chains)
    open_since = 0
    for k, chain in enumerate(chains):
        earlier = [specs[j] for c in chains[open_since:k] for j in c.numbers]
        if any(_conflict(a, specs[j], ranges) for a in earlier for j in chain.numbers):
            barriers[k], open_since = True, k
    return barriers


def _in_arena(specs: Sequence[KernelSpec], chain: Chain) -> list[Value]:
    """What a chain's kernels touch, but for threads' own slices."""
    return [v for k in chain.numbers for v in specs[k].buffers if v not in chain.slices]


def _grain(tiles: int) -> int:
    """Tiles that a thread claims at a time: chunks enough to share out evenly, not more."""
    return max(1, tiles // CHUNKS)


def _conflict(a: KernelSpec, b: KernelSpec, ranges: Mapping[Value, tuple[int, int]]) -> bool:
    def overlap(x: Value, y: Value) -> bool:
        if x is y:
            return True
        if x not in ranges or y not in ranges:
            return False
        return ranges[x][0] < ranges[y][1] and ranges[y][0] < ranges[x][1]

    touched_a, touched_b = a.buffers, b.buffers
    return any(overlap(x, y) for x in a.writes for y in touched_b) or any(
        overlap(x, y) for x in touched_a for y in b.writes
    )


def _aligned(size: int) -> np.ndarray:
    raw = np.empty(size + 128, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size + 64]
