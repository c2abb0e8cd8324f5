"""Which tile of a contraction has which number: neighbours share rows, so that a thread's tiles do.

The team gives each thread a run of tiles. Rows of activations belong to one thread from kernel to kernel if
every kernel shares out rows; columns would be in the other core's cache half of the time, far away where
cores do not share one. Blocks of rows form groups that the second-level cache holds; inside of a group all
blocks of a strip come first, while the strip's part of B is near.
"""

from __future__ import annotations

from kcompile.codegen.expressions import Statements
from kcompile.codegen.writer import Writer
from kcompile.core.symbolic import Int

LEAST_GROUPS = 4  # so that rows are shared out at all, and evenly


def write_position(w: Writer, s: Statements, blocks: int | Int, strips: int | Int, most: int) -> None:
    """From `rest`, the number of a tile, to its `block` and `strip`; `rest` keeps what goes beyond them.

    most: blocks that all strips take before the next ones, at most.
    """
    tiles = blocks * strips
    if tiles == 1:
        w.line("block = 0")
        w.line("strip = 0")
        return
    w.line(f"quotient = index_div(rest, {s.integer(tiles)})")
    w.line(f"position = rest - quotient * {s.integer(tiles)}")
    w.line("rest = quotient")
    if blocks == 1 or strips == 1:
        w.line(f"block = {'0' if blocks == 1 else 'position'}")
        w.line(f"strip = {'0' if strips == 1 else 'position'}")
        return
    largest = max(1, most)
    if isinstance(blocks, int):
        near = str(max(1, min(largest, blocks // LEAST_GROUPS)))
    else:
        near = "near"
        w.line(f"near = max(1, min({largest}, index_div({s.integer(blocks)}, {LEAST_GROUPS})))")
    w.line(f"before = index_div(position, {near} * {s.integer(strips)}) * {near}")
    w.line(f"here = min({near}, {s.integer(blocks)} - before)")
    w.line(f"position -= before * {s.integer(strips)}")
    w.line("strip = index_div(position, here)")
    w.line("block = before + position - strip * here")
