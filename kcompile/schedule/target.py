"""What the schedule knows of the machine that it plans for. Codegen makes one record per target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kcompile.schedule.lanes import Tile


@dataclass(frozen=True)
class Target:
    """How kernels are cut on a machine.

    tile      (output columns, dtype) -> (rows, columns) of the tile that a contraction computes at a time.
    packs     (bytes from a row of B to the next, rows of A) -> is B copied to panels of a tile's columns,
              though a tile could read its rows where they lie? None: B is read there anyway.
    turns     does storing a tile across its columns cost a transposition?
    winograd  may 3 x 3 convolutions be computed by Winograd's algorithm?
    long      reduction steps from which a contraction of at most `few` outputs is shared out into `parts`.
    owned     elements of weights that the program updates from which each of `owners` (caches) reads a part.
    sum_parts parts of a long sum into few elements. All parts are combined in a fixed order.
    sorts     are rows ordered by a kernel that sorts, and updates scattered along them in one go?
    pairs     how many times as fast as products of float32 are those of bfloat16 pairs, added up in float32?
              0: there is no instruction for them.
    borders   can a contraction's kernel write what lies around its outputs, too?
    grouped   the tile that computes several small groups in the lanes of its vectors, if there is one.
    prepares  is what depends on weights alone kept from run to run?
    """

    name: str
    tile: Callable[[int, str], tuple[int, int]]
    packs: Callable[[int, int], bool] | None
    turns: bool
    winograd: bool
    long: int
    few: int
    parts: int
    sum_parts: int
    owned: int
    owners: int
    sorts: bool = False
    pairs: float = 0.0
    borders: bool = False
    grouped: Tile | None = None
    prepares: bool = False
