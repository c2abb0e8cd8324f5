"""The description of a loop for given extents, as `codegen.scan_cpu` reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from kcompile.codegen.scan_cpu import Carry, Move, Word
from kcompile.codegen.spec import KernelSpec, Nested
from kcompile.core import dtypes, symbolic
from kcompile.ir.graph import Value
from kcompile.ir.traits import Leaf
from kcompile.schedule.memory import Lifetime, lives, place, rounded

Symbols = Mapping[str, int]


@dataclass
class Description:
    """Where a loop's description lies, the scratch memory that it needs, and the arrays it is made of."""

    address: int
    scratch: int
    arrays: list[np.ndarray] = field(default_factory=list)


def describe(
    nested: Nested, buffers: tuple[Value, ...], functions: Iterator[int], symbols: Symbols
) -> Description:
    """The description of a loop with these buffers as arguments 1, 2, ...; functions: the addresses of its
    body's kernels.
    """
    return _Describing(nested, buffers, symbols).run(list(functions))


class _Describing:
    def __init__(self, nested: Nested, buffers: tuple[Value, ...], symbols: Symbols) -> None:
        self.nested, self.symbols = nested, dict(symbols)
        self.slots = {v: k for k, v in reversed(list(enumerate(buffers, 1)))}
        self.carries = nested.carries
        self.sliced = range(self.carries, self.carries + nested.slices)
        self.inputs = [buffers.index(b) + 1 for b in buffers[: nested.inputs]]
        self.results = [self.slots[v] for v in nested.results]
        self.parameter = {v: k for k, v in enumerate(nested.parameters)}
        self.output = {v: k for k, v in enumerate(nested.outputs)}
        self.moves: list[list[int]] = []
        self.places: list[tuple[list[int], list[int]]] = [([], []) for _ in range(self.carries)]
        self.description = Description(0, 0)

    def run(self, functions: list[int]) -> Description:
        extent = symbolic.evaluate(self.nested.extent, self.symbols)
        self.block = symbolic.evaluate(self.nested.block, self.symbols)
        self.symbols = self._with_rows(extent)
        size = min(self.block, max(extent, 1))
        self.blocks = -(-extent // self.block) if extent else 0
        last = extent - (self.blocks - 1) * self.block if self.blocks else size
        full = self._with_rows(size)
        self._place(full)
        inner: list[int] = []
        arguments, listed = self._variant(full, functions, inner, first=True)
        last_arguments, last_listed = self._variant(self._with_rows(last), functions, inner, first=False)
        words = len(arguments)
        arena = rounded(8 * words)
        scratch = arena + self.arena
        d = [0] * len(Word)
        d[Word.STEPS] = self._steps()
        d[Word.BLOCKS], d[Word.WORDS], d[Word.COMMANDS] = self.blocks, words, len(self.nested.specs)
        d[Word.ARGUMENTS], d[Word.LAST_ARGUMENTS] = self._kept(arguments), self._kept(last_arguments)
        d[Word.LIST], d[Word.LAST_LIST] = self._kept(listed), self._kept(last_listed)
        d[Word.MOVES], d[Word.MOVE_LIST] = (
            len(self.moves),
            self._kept([word for move in self.moves for word in move]),
        )
        carries, places = self._carries(full, self._with_rows(last))
        d[Word.CARRIES], d[Word.CARRY_LIST], d[Word.PLACES] = (
            self.carries, self._kept(carries), self._kept(places)
        )  # fmt: skip
        d[Word.ARENA], d[Word.SCRATCH] = arena, scratch
        self.description.address = self._kept(d)
        self.description.scratch = scratch + max(inner, default=0)
        return self.description

    def _steps(self) -> int:
        steps = self.nested.steps
        return -1 if steps is None else symbolic.evaluate(steps, self.symbols)

    def _with_rows(self, rows: int) -> dict[str, int]:
        atom = self.nested.rows
        return self.symbols if atom is None else {**self.symbols, atom.name: rows}

    def _kept(self, numbers: list[int]) -> int:
        """The address of the numbers in memory that lives as long as the description."""
        array = np.array(numbers or [0], np.int64)
        self.description.arrays.append(array)
        return array.ctypes.data

    # -- memory ------------------------------------------------------------------------------------------

    def _place(self, symbols: Symbols) -> None:
        """Offsets in the arena: of what is carried, twice, then of the body's own values."""
        self.offsets: dict[Value, int] = {}
        self.turns: list[tuple[int, int]] = []
        at = 0
        for v in self.nested.parameters[: self.carries]:
            size = rounded(_bytes(v, symbols))
            self.turns.append((at, at + size))
            at += 2 * size
        own = lives([v for v in spec.buffers if self._is_own(v)] for spec in self.nested.specs)
        found, total = place([Lifetime(_bytes(v, symbols), *life) for v, life in own.items()])
        self.offsets = {v: at + offset for v, offset in zip(own, found, strict=True)}
        self.arena = at + rounded(total)

    def _is_own(self, v: Value) -> bool:
        known = v in self.parameter or v in self.output or v in self.slots
        return not known and v.op.leaf is not Leaf.CONSTANT

    # -- argument blocks ---------------------------------------------------------------------------------

    def _variant(
        self, symbols: Symbols, functions: list[int], inner: list[int], first: bool
    ) -> tuple[list[int], list[int]]:
        """Argument blocks and commands for a block of rows; the first variant also notes what moves."""
        addresses = iter(functions)
        words: list[int] = []
        listed: list[int] = []
        for spec in self.nested.specs:
            function, start = next(addresses), len(words)
            scratch = symbolic.evaluate(spec.scratch, symbols)
            if spec.nested is not None:
                within = [next(addresses) for _ in range(_count(spec.nested))]
                made = describe(spec.nested, spec.buffers, iter(within), symbols)
                self.description.arrays += made.arrays
                words.append(made.address)
                scratch = made.scratch
            inner.append(scratch)
            for v in spec.buffers:
                if first:
                    self._note(v, len(words), symbols)
                words.append(v.node.attrs["value"].array.ctypes.data if v.op.leaf is Leaf.CONSTANT else 0)
            words.extend(symbolic.evaluate(n, symbols) for n in spec.numbers)
            listed += [function, 8 * start, symbolic.evaluate(spec.tiles, symbols)]
        return words, listed

    def _note(self, v: Value, place: int, symbols: Symbols) -> None:
        """How the address of v, at this place of the argument blocks, comes about."""
        k, result = self.parameter.get(v), self.output.get(v)
        if v.op.leaf is Leaf.CONSTANT:
            return
        if k is not None and k < self.carries:
            self.places[k][0].append(place)
        elif k is not None:
            self._move(place, self.inputs[k], v, k in self.sliced)
        elif result is not None and result < self.carries:
            self.places[result][1].append(place)
        elif result is not None:
            self._move(place, self.results[result], v, True)
        elif v in self.slots:
            self.moves.append([place, self.slots[v], 0, 0, 0])
        else:
            self.moves.append([place, -1, self.offsets[v], 0, 0])

    def _move(self, place: int, slot: int, v: Value, is_sliced: bool) -> None:
        step = _bytes(v, self.symbols) if is_sliced else 0
        backwards = is_sliced and self.nested.reverse
        offset = (self._steps() - 1) * step if backwards else 0
        move = [0] * len(Move)
        move[Move.PLACE], move[Move.SOURCE], move[Move.OFFSET] = place, slot, offset
        move[Move.BLOCK], move[Move.STEP] = self._block_bytes(v), -step if backwards else step
        self.moves.append(move)

    def _block_bytes(self, v: Value) -> int:
        """Bytes from one block of rows to the next; 0 for what has no rows."""
        rows = self.nested.rows
        if rows is None or not v.shape or v.shape[0] != symbolic.Int.of(rows):
            return 0
        return _bytes(v, self._with_rows(self.block))

    def _carries(self, full: Symbols, last: Symbols) -> tuple[list[int], list[int]]:
        table: list[int] = []
        places: list[int] = []
        for k, v in enumerate(self.nested.parameters[: self.carries]):
            row = [0] * len(Carry)
            row[Carry.FIRST], row[Carry.LAST] = self.inputs[k], self.results[k]
            row[Carry.FIRST_BLOCK] = row[Carry.LAST_BLOCK] = self._block_bytes(v)
            row[Carry.EVEN], row[Carry.ODD] = self.turns[k]
            row[Carry.BYTES], row[Carry.LAST_BYTES] = _bytes(v, full), _bytes(v, last)
            read, written = self.places[k]
            row[Carry.READ], row[Carry.WRITTEN] = len(places), len(places) + len(read)
            places += [*read, *written]
            row[Carry.END] = len(places)
            table += row
        return table, places


def _count(nested: Nested) -> int:
    return sum(1 + (_count(s.nested) if s.nested is not None else 0) for s in nested.specs)


def _bytes(v: Value, symbols: Symbols) -> int:
    return symbolic.evaluate(v.type.size, symbols) * dtypes.itemsize(v.dtype)


def kernels_of(spec: KernelSpec) -> int:
    """How many kernels a spec stands for, with those that it repeats."""
    return 1 + (_count(spec.nested) if spec.nested is not None else 0)
