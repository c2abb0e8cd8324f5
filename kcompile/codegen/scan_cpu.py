"""`Scan` kernels: one small program, the same for all loops, that calls the kernels of a body for every step.

A tile is a block of rows, which runs through all steps by itself on one thread: no barrier stands between
steps, and what is carried stays in that core's cache. What differs between loops is data: a description made
when the extents are known (`runtime.nested`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import cache

from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import KernelSpec, Nested
from kcompile.core import symbolic
from kcompile.core.symbolic import Int, product
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Scan
from kcompile.schedule.plan import Plan

MOST_ROWS = 16  # that run through the steps together
ROW_STEP = 4  # of which blocks are multiples
BLOCKS = 2  # at least, of more than a few rows


class Word(IntEnum):
    """The description of a loop: int64 words. Full blocks come first, the last one may be smaller."""

    STEPS = 0  # -1: while the first carry holds
    BLOCKS = 1
    WORDS = 2  # of the body's argument blocks
    ARGUMENTS = 3  # address of the argument blocks, without what moves
    LAST_ARGUMENTS = 4
    COMMANDS = 5  # how many
    LIST = 6  # address of [function, offset of its arguments in bytes, tiles]
    LAST_LIST = 7
    MOVES = 8  # how many
    MOVE_LIST = 9  # address of the moves
    CARRIES = 10  # how many
    CARRY_LIST = 11  # address of the carries
    PLACES = 12  # address of the places in the argument blocks that carries are written to
    ARENA = 13  # offset of the body's memory in the scratch memory
    SCRATCH = 14  # offset of its kernels' scratch memory


class Move(IntEnum):
    """An address in the argument blocks that changes from block to block and from step to step."""

    PLACE = 0
    SOURCE = 1  # number of the loop's own argument, or -1: the arena
    OFFSET = 2
    BLOCK = 3  # bytes from one block of rows to the next
    STEP = 4  # bytes from one step to the next


class Carry(IntEnum):
    """A value carried from step to step: read where the step before wrote it, in two buffers by turns."""

    FIRST = 0  # number of the loop's argument with the first value
    FIRST_BLOCK = 1
    EVEN = 2  # offset in the arena of what steps 0, 2, ... write
    ODD = 3
    READ = 4  # its places: read from READ to WRITTEN, written from there to END
    WRITTEN = 5
    END = 6
    LAST = 7  # number of the loop's argument for the last value
    LAST_BLOCK = 8
    BYTES = 9
    LAST_BYTES = 10  # in the last block


_TEXT = """
def kernel(args, begin, end, scratch):
    d = buffer_i64(args[0], 1)
    moves = buffer_i64(d[{Word.MOVE_LIST}], 2)
    carries = buffer_i64(d[{Word.CARRY_LIST}], 3)
    places = buffer_i64(d[{Word.PLACES}], 4)
    block = buffer_i64(scratch, 5)
    arena = scratch + d[{Word.ARENA}]
    for tile in range(begin, end):
        is_last = tile == d[{Word.BLOCKS}] - 1
        where = d[{Word.LAST_ARGUMENTS}] if is_last else d[{Word.ARGUMENTS}]
        template = buffer_i64(where, 6)
        listed = d[{Word.LAST_LIST}] if is_last else d[{Word.LIST}]
        commands = buffer_i64(listed, 7)
        for w in range(d[{Word.WORDS}]):
            block[w] = template[w]
        for m in range(d[{Word.MOVES}]):
            row = m * {move_words}
            base = arena
            if moves[row + {Move.SOURCE}] >= 0:
                base = args[moves[row + {Move.SOURCE}]]
            at = base + moves[row + {Move.OFFSET}] + tile * moves[row + {Move.BLOCK}]
            block[moves[row + {Move.PLACE}]] = at
        step = 0
        while step != d[{Word.STEPS}]:
            for c in range(d[{Word.CARRIES}]):
                row = c * {carry_words}
                read = args[carries[row + {Carry.FIRST}]] + tile * carries[row + {Carry.FIRST_BLOCK}]
                if step > 0:
                    read = arena + carries[row + {Carry.EVEN} + ((step - 1) & 1)]
                for p in range(carries[row + {Carry.READ}], carries[row + {Carry.WRITTEN}]):
                    block[places[p]] = read
                for p in range(carries[row + {Carry.WRITTEN}], carries[row + {Carry.END}]):
                    block[places[p]] = arena + carries[row + {Carry.EVEN} + (step & 1)]
            if d[{Word.STEPS}] < 0:
                flag = args[carries[{Carry.FIRST}]]
                if step > 0:
                    flag = arena + carries[{Carry.EVEN} + ((step - 1) & 1)]
                if buffer_u8(flag, 8)[0] == 0:
                    break
            for k in range(d[{Word.COMMANDS}]):
                first = scratch + commands[3 * k + 1]
                call_kernel(commands[3 * k], first, 0, commands[3 * k + 2], scratch + d[{Word.SCRATCH}])
            for m in range(d[{Word.MOVES}]):
                row = m * {move_words}
                block[moves[row + {Move.PLACE}]] += moves[row + {Move.STEP}]
            step += 1
        for c in range(d[{Word.CARRIES}]):
            row = c * {carry_words}
            read = args[carries[row + {Carry.FIRST}]] + tile * carries[row + {Carry.FIRST_BLOCK}]
            if step > 0:
                read = arena + carries[row + {Carry.EVEN} + ((step - 1) & 1)]
            source = buffer_u8(read, 9)
            result = args[carries[row + {Carry.LAST}]] + tile * carries[row + {Carry.LAST_BLOCK}]
            target = buffer_u8(result, 10)
            size = carries[row + {Carry.LAST_BYTES}] if is_last else carries[row + {Carry.BYTES}]
            for k in range(size):
                target[k] = source[k]
"""


@cache
def scan_source() -> KernelSource:
    """Source of the program that runs loops."""
    text = _TEXT.lstrip().format(
        Word=Word, Move=Move, Carry=Carry, move_words=len(Move), carry_words=len(Carry)
    )
    return KernelSource(text, "scan", modules=("kcompile.codegen.native",))


def emit_scan(
    kernel: Scan, aliases: Mapping[Value, Value], emit: Callable[[Plan], list[KernelSpec]]
) -> KernelSpec:
    """The spec of a loop; emit: the specs of its body's plan."""
    node, plan = kernel.node, kernel.plan
    specs = tuple(emit(plan))
    block = _block(kernel.extent)
    nested = Nested(
        len(node.inputs),
        tuple(node.values),
        node.attrs["carries"],
        node.attrs["slices"],
        node.attrs["steps"],
        node.attrs["reverse"],
        specs,
        tuple(plan.graph.inputs),
        tuple(plan.graph.outputs),
        kernel.rows,
        kernel.extent,
        block,
    )
    inputs = [aliases.get(v, v) for v in (*node.inputs, *kernel.packed)]
    steps = node.attrs["steps"] if node.attrs["steps"] is not None else 1
    all_rows = {} if kernel.rows is None else {kernel.rows: kernel.extent}
    return KernelSpec(
        scan_source(),
        (*inputs, *node.values),
        (),
        symbolic.floordiv(kernel.extent + (block - 1), block),
        tuple(node.values),
        kernel.name,
        flops=product([steps, symbolic.substitute(_sum(s.flops for s in specs), all_rows)]),
        work=product([steps, symbolic.substitute(_sum(s.work for s in specs), all_rows)]),
        fused=kernel.fused,
        nested=nested,
    )


def _block(extent: int | Int) -> int | Int:
    """Rows of a block: few enough that there are several. The machine does not matter, as the last bits of a
    row may depend on how many are computed with it.
    """
    share = ROW_STEP * BLOCKS
    rows = symbolic.minimum(ROW_STEP * symbolic.floordiv(extent + (share - 1), share), MOST_ROWS)
    return rows + 1 - symbolic.minimum(rows, 1)  # of no rows at all, too


def _sum(numbers: object) -> int | Int:
    total: int | Int = 0
    for number in numbers:  # type: ignore[attr-defined]
        total = total + number
    return total
