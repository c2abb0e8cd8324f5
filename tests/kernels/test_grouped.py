"""The micro-kernel of small groups against float64 sums, and what its machine code consists of."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kcompile.core.lanes import share_lanes
from kcompile.kernels import native
from kcompile.kernels.contract import grouped
from kcompile.kernels.contract.grouped import GroupedSpec
from kcompile.kernels.host import host

SHAPES = [  # all that this CPU's vectors hold
    (f, d, dtype)
    for dtype in ("float32", "float64")
    for f in (2, 4, 8)
    for d in (2, 4, 8, 16)
    if f < host().lanes(dtype) and share_lanes(f, d, host().lanes(dtype))
]
LOOPS = [(1, 1, 0), (3, 3, 1), (2, 7, 0), (0, 5, 1), (2, 0, 0)]  # k1, k0, accumulate


def in_lanes(a, spec):
    """Of elements (..., group, depth) those that each lane multiplies: (..., depth, lane)."""
    return np.repeat(np.swapaxes(a, -1, -2), spec.features, axis=-1)


def run(spec, k1, k0, accumulate):
    """One call, with gaps between all strides: C, what it should hold, the bound of the error, C before."""
    rng = np.random.default_rng(spec.depth * 10 + spec.features)
    dtype, groups = np.dtype(spec.dtype), spec.lanes // spec.features
    tables = spec.rows if spec.sums_depth else spec.rows // spec.depth
    a = rng.normal(size=(tables, k1 + 1, k0 + 2, groups * spec.depth + 3)).astype(dtype)
    a = a[rng.permutation(tables)]
    b = rng.normal(size=(k1 + 1, k0 + 2, spec.depth if spec.sums_depth else 1, spec.lanes)).astype(dtype)
    c = rng.normal(size=(spec.rows, spec.lanes + 3)).astype(dtype)
    before = c.copy()
    rows = np.full(spec.rows, -1, np.int64)  # of a depth only the first row's address is read
    rows[:: 1 if spec.sums_depth else spec.depth] = [x.ctypes.data for x in a]
    library = native.load(grouped.build(spec))
    function = library.function(grouped.symbol(spec), 11)
    strides = (*a.strides[1:3], b.ctypes.data, *b.strides[:2])
    function(k1, k0, rows.ctypes.data, *strides, c.ctypes.data, c.strides[0], accumulate)
    used = a[:, :k1, :k0, : groups * spec.depth].astype("f8").reshape(tables, k1, k0, groups, spec.depth)
    used, weights = in_lanes(used, spec), b[:k1, :k0].astype("f8")
    sums = "rijdl,ijdl->rl" if spec.sums_depth else "rijdl,ijxl->rdl"
    old = before[:, : spec.lanes] * accumulate
    want = np.einsum(sums, used, weights).reshape(spec.rows, spec.lanes) + old
    magnitude = np.einsum(sums, abs(used), abs(weights)).reshape(want.shape) + abs(old)
    return c, want, (k1 * k0 * spec.depth + 1) * np.finfo(dtype).eps * magnitude, before


@pytest.mark.parametrize("sums_depth", [True, False])
@pytest.mark.parametrize(("features", "depth", "dtype"), SHAPES)
def test_each_lane_multiplies_the_elements_of_its_group(features, depth, sums_depth, dtype):
    lanes = host().lanes(dtype)
    rows = grouped.rows_of(depth, sums_depth, host().vector_registers)
    for count in {rows, *({1, 2} if sums_depth else {depth})}:
        held = grouped.HELD[host().vector_registers]
        spec = GroupedSpec(count, lanes, dtype, features, depth, sums_depth, held)
        for loops in LOOPS:
            c, want, bound, before = run(spec, *loops)
            assert (abs(c[:, :lanes] - want) <= bound).all(), (spec, loops)
            assert np.array_equal(c[:, lanes:], before[:, lanes:]), "wrote beside its tile"


@pytest.mark.skipif(host().vector_bytes != 64, reason="counts registers of AVX-512")
@pytest.mark.parametrize("sums_depth", [True, False])
def test_accumulators_stay_in_registers(sums_depth):
    """Within the loops nothing is stored, and no element is broadcast: a load serves all groups."""
    spec = GroupedSpec(grouped.rows_of(4, sums_depth, 32), 16, "float32", 4, 4, sums_depth, grouped.HELD[32])
    text = native.assembly(grouped.build(spec))
    products = [line for line in text.splitlines() if "vfmadd" in line]
    assert products and not any("{1to16}" in line for line in products)
    last = text.rindex("vfmadd")
    assert not re.search(r"vmovups\s+%zmm\d+, ", text[text.index("vfmadd") : last])
