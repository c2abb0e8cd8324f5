"""The numbering of a contraction's tiles: each once, and a thread's run of them shares rows."""

from __future__ import annotations

import itertools
import textwrap

import pytest

from kcompile.codegen.expressions import Names, Statements
from kcompile.codegen.tile_order import LEAST_GROUPS, write_position
from kcompile.codegen.writer import Writer
from kcompile.core import symbolic
from kcompile.core.symbolic import symbol
from kcompile.kernels.host import host

SIZES = [(1, 1), (1, 7), (5, 1), (3, 2), (8, 4), (11, 4), (17, 3), (64, 5), (100, 2)]
BYTES = [host().l2, host().l2 // 6, 64]


def positions(blocks, strips, block_bytes, is_open=False):
    """(rest, block, strip) of each tile of two outer indices, by running the text.

    is_open: is the number of blocks known at run time only?
    """
    w = Writer()
    s = Statements(w, Names({}), {})
    write_position(w, s, symbol("blocks") if is_open else blocks, strips, block_bytes)
    code = compile(textwrap.dedent(w.text()), "text", "exec")
    numbers = {name: symbolic.evaluate(n, {"blocks": blocks}) for n, name in s.names.numbers.items()}
    found = []
    for tile in range(2 * blocks * strips):
        scope = {"rest": tile, "index_div": lambda a, b: a // b, **numbers}
        exec(code, scope)
        found.append((scope["rest"], scope["block"], scope["strip"]))
    return found


@pytest.mark.parametrize(("blocks", "strips"), SIZES)
@pytest.mark.parametrize("block_bytes", BYTES)
@pytest.mark.parametrize("is_open", [False, True])
def test_every_tile_once(blocks, strips, block_bytes, is_open):
    found = positions(blocks, strips, block_bytes, is_open)
    assert sorted(found) == list(itertools.product(range(2), range(blocks), range(strips)))


@pytest.mark.parametrize("block_bytes", BYTES)
@pytest.mark.parametrize(("blocks", "strips"), [(64, 5), (100, 2), (11, 4)])
def test_a_run_of_tiles_is_a_run_of_rows(blocks, strips, block_bytes):
    """The first half of the tiles holds the first half of the rows, give or take a group."""
    found = positions(blocks, strips, block_bytes)[: blocks * strips]
    half = {block for _, block, _ in found[: len(found) // 2]}
    assert max(half) <= blocks // 2 + max(1, blocks // LEAST_GROUPS)


def test_blocks_of_a_group_come_strip_by_strip():
    """So that B's part of a strip is used again at once."""
    found = positions(64, 5, 64)
    group = found[: 5 * (64 // LEAST_GROUPS)]
    strips = [strip for _, _, strip in group]
    assert strips == sorted(strips)
