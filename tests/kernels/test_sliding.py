"""The micro-kernel of windows against float64 sums, and that it loads an element once for all taps."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.kernels import native
from kcompile.kernels.contract import sliding
from kcompile.kernels.contract.sliding import SlidingSpec
from kcompile.kernels.host import host

LANES = host().lanes("float32")
# rows, taps, spread, features, depth
SHAPES = [
    (6, 3, 1, LANES, 1),
    (9, 2, 1, LANES, 1),
    (7, 3, 2, LANES, 1),
    (8, 5, 1, LANES, 1),
    *((6, 3, 1, f, d) for f, d in [(2, 2), (4, 4), (4, 2), (2, 4), (8, 8)] if f < LANES),
]


def run(spec, k1, k0, accumulate):
    """One call, with gaps between all strides: C, what it should hold, the bound of the error, C before."""
    rng = np.random.default_rng(spec.rows)
    places, groups = spec.rows + (spec.taps - 1) * spec.spread, spec.lanes // spec.features
    per_place = spec.step // 4
    a = rng.normal(size=(k1 + 1, k0 + 1, places, per_place)).astype("float32")
    b = rng.normal(size=(k1 + 1, spec.taps, k0 + 1, spec.depth, spec.lanes)).astype("float32")
    c = rng.normal(size=(spec.rows, spec.lanes + 3)).astype("float32")
    before = c.copy()
    library = native.load(sliding.build(spec))
    function = library.function(sliding.symbol(spec), 12)
    function(
        k1, k0, a.ctypes.data, a.strides[0], a.strides[1], b.ctypes.data, b.strides[0], b.strides[2],
        c.ctypes.data, c.strides[0], accumulate, b.strides[1],
    )  # fmt: skip
    want = before[:, : spec.lanes].astype("f8") * accumulate
    magnitude = abs(want)
    for row in range(spec.rows):
        for tap in range(spec.taps):
            used = a[:k1, :k0, row + tap * spec.spread, : groups * spec.depth].astype("f8")
            used = used.reshape(k1, k0, groups, spec.depth).swapaxes(2, 3).repeat(spec.features, axis=3)
            products = used * b[:k1, tap, :k0].astype("f8")
            want[row] += products.sum((0, 1, 2))
            magnitude[row] += abs(products).sum((0, 1, 2))
    terms = k1 * k0 * spec.taps * spec.depth + 1
    return c, want, terms * np.finfo("float32").eps * magnitude, before


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_of_a_window_share_what_they_read(shape):
    rows, taps, spread, features, depth = shape
    step = 4 * (LANES // features * depth + 3)
    spec = SlidingSpec(rows, LANES, "float32", step, taps, spread, features, depth)
    for loops in [(1, 1, 0), (3, 4, 1), (2, 7, 0), (0, 5, 1), (2, 0, 0)]:
        c, want, bound, before = run(spec, *loops)
        assert (abs(c[:, : spec.lanes] - want) <= bound).all(), loops
        assert np.array_equal(c[:, spec.lanes :], before[:, spec.lanes :]), "wrote beside its tile"


@pytest.mark.skipif(host().vector_bytes != 64, reason="counts instructions of AVX-512")
def test_an_element_is_loaded_once_for_all_taps():
    rows, taps = 14, 3
    text = native.assembly(sliding.build(SlidingSpec(rows, 16, "float32", 64, taps, 1, 16, 1)))
    products = [line for line in text.splitlines() if "vfmadd" in line]
    assert len(products) == rows * taps
    assert sum("vbroadcastss" in line or "{1to16}" in line for line in text.splitlines()) <= rows + taps - 1
    assert "(%rsp)" not in "".join(line for line in text.splitlines() if "zmm" in line), "spills"


def test_lines_are_cut_into_tiles_of_rows():
    for width in range(1, 70):
        for depth in (1, 4):
            rows = sliding.rows_of(width, 3, 1, depth, 32)
            assert (rows is None) == (width < sliding.LEAST_ROWS)
            assert rows is None or sliding.LEAST_ROWS <= rows <= width
