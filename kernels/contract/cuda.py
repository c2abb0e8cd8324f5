"""Contractions on CUDA: tiles in shared memory, each thread with a block of sums in registers.

A block of 16 x 16 threads computes `rows` x `columns` sums. Per step of `depth` along the reduction it brings
both operands' tiles to shared memory, A as [depth, rows + 1] and B as [depth, columns + 1] (the odd length
keeps threads that write down a column off each other's memory banks); then every thread multiplies. Thread
(i, j) owns rows i, i + 16, ... and columns j, j + 16, ..., so that neighbours read and store neighbouring
elements.
"""

from __future__ import annotations

from dataclasses import dataclass

SIDE = 16
THREADS = SIDE * SIDE
DEPTH = 16
BUSY = 160  # blocks that keep a device of about a hundred multiprocessors busy


@dataclass(frozen=True)
class Tile:
    """Sums that a block computes, and steps of the reduction that it holds in shared memory at a time."""

    rows: int
    columns: int
    depth: int = DEPTH

    @property
    def row_stride(self) -> int:
        return self.rows + 1

    @property
    def column_stride(self) -> int:
        return self.columns + 1

    @property
    def operand_elements(self) -> int:
        """Shared elements for both operands."""
        return self.depth * (self.row_stride + self.column_stride)

    @property
    def shared_elements(self) -> int:
        """Operands while multiplying, then the sums for the epilogue: the same memory."""
        return max(self.operand_elements, self.rows * self.column_stride)


def choose(rows: int, columns: int, others: int) -> Tile:
    """The tile that computes an output soonest: few operand loads per sum, few idle sums, enough blocks.

    >>> choose(4096, 4096, 1)
    Tile(rows=64, columns=64, depth=16)
    >>> choose(128, 10, 1), choose(9, 32, 32)
    (Tile(rows=16, columns=16, depth=16), Tile(rows=16, columns=16, depth=16))
    """

    def cost(tile: Tile) -> float:
        down, across = -(-rows // tile.rows), -(-columns // tile.columns)
        waves = max(1.0, down * across * others / BUSY)
        sums = tile.rows * tile.columns / THREADS
        per_step = sums + (tile.rows + tile.columns) / SIDE + 1  # multiplications, loads, the loop itself
        return waves * per_step

    sizes = (SIDE, 2 * SIDE, 4 * SIDE)
    return min((Tile(r, c) for r in sizes for c in sizes), key=cost)


def panel_columns(columns: int) -> int:
    """The columns of the tile for an output of this width, before its height is known."""
    return min((SIDE, 2 * SIDE, 4 * SIDE), key=lambda c: (-(-columns // c) * c, -c))


def multiplication(tile: Tile) -> list[str]:
    """Statements of one step of the reduction: `kk` is its place in the tile, (down, across) the thread's
    place in the block.
    """
    rows, columns = range(tile.rows // SIDE), range(tile.columns // SIDE)
    a_line, b_line = f"kk * {tile.row_stride} + down", f"kk * {tile.column_stride} + across"
    first = tile.depth * tile.row_stride
    lines = [f"a{i} = tile[at({SIDE * i} + {a_line})]" for i in rows]
    lines += [f"b{j} = tile[at({first + SIDE * j} + {b_line})]" for j in columns]
    return lines + [f"{sum_name(i, j)} = {sum_name(i, j)} + a{i} * b{j}" for i in rows for j in columns]


def sum_name(i: int, j: int) -> str:
    return f"sum{i}{j}"


def sums(tile: Tile) -> list[tuple[int, int]]:
    """The blocks of sums of one thread."""
    return [(i, j) for i in range(tile.rows // SIDE) for j in range(tile.columns // SIDE)]
