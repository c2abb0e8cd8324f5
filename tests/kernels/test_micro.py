"""The contraction micro-kernel against float64 einsum, and the shape of its machine code."""

import re

import ml_dtypes
import numpy as np
import pytest

from kcompile.kernels import native
from kcompile.kernels.contract import micro, tiles
from kcompile.kernels.host import Host, host

TILES = [(1, 1), (1, 4), (2, 2), (3, 3), (6, 4), (8, 2), (12, 2), (14, 1)]


def lanes(dtype):
    return host().lanes(dtype)


def run(spec, function, k1, k0, accumulate, rng):
    """One call on shuffled rows, strides with gaps: C, what it should hold, the error bound, C before."""
    dtype, step = np.dtype(spec.dtype), 1 if spec.unit_k else 3
    a = rng.normal(size=(spec.rows, k1 + 1, (k0 + 2) * step)).astype(dtype)[rng.permutation(spec.rows)]
    places = rng.permutation(spec.rows)
    b = rng.normal(size=(k1 + 1, k0 + 2, spec.columns + 5)).astype(dtype)
    c = rng.normal(size=(spec.rows, spec.columns + 3)).astype(dtype)
    before = c.copy()
    rows = np.array([a[p].ctypes.data for p in places], np.int64)
    strides = (a.strides[1], step * dtype.itemsize, b.ctypes.data, b.strides[0], b.strides[1])
    function(k1, k0, rows.ctypes.data, *strides, c.ctypes.data, c.strides[0], accumulate)
    used_a = a[places][:, :k1, : k0 * step : step].astype("f8")
    used_b, old = b[:k1, :k0, : spec.columns].astype("f8"), before[:, : spec.columns] * accumulate
    want = np.einsum("rik,ikn->rn", used_a, used_b) + old
    magnitude = np.einsum("rik,ikn->rn", abs(used_a), abs(used_b)) + abs(old)
    return c, want, (k1 * k0 + 1) * np.finfo(dtype).eps * magnitude, before


@pytest.mark.parametrize("unit_k", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows, vectors", TILES)
def test_micro_kernel_matches_einsum(rows, vectors, dtype, unit_k):
    rng = np.random.default_rng(rows * 10 + vectors)
    spec = micro.MicroSpec(rows, vectors, lanes(dtype), dtype, unit_k)
    library = native.load(micro.build(spec))
    function = library.function(micro.symbol(spec), 11)
    for k1, k0, accumulate in [(1, 1, 0), (1, 3, 1), (2, 4, 0), (3, 7, 1), (1, 64, 0), (0, 5, 1), (2, 0, 0)]:
        c, want, bound, before = run(spec, function, k1, k0, accumulate, rng)
        assert (abs(c[:, : spec.columns] - want) <= bound).all()
        assert np.array_equal(c[:, spec.columns :], before[:, spec.columns :]), "wrote beside its tile"


@pytest.mark.skipif(not host().multiplies_bfloat16, reason="the CPU has no AVX512_BF16")
@pytest.mark.parametrize("unit_k", [True, False])
@pytest.mark.parametrize("rows, vectors", TILES)
def test_micro_kernel_of_pairs_matches_einsum(rows, vectors, unit_k):
    """Small integers, so that every sum is exact."""
    rng = np.random.default_rng(rows * 10 + vectors)
    spec = micro.MicroSpec(rows, vectors, lanes("float32"), "bfloat16", unit_k)
    library = native.load(micro.build(spec))
    function = library.function(micro.symbol(spec), 11)
    gap = 1 if unit_k else 3
    for k1, k0, accumulate in [(1, 1, 0), (2, 3, 1), (3, 7, 0), (1, 64, 1), (0, 5, 1), (2, 0, 0)]:
        a = rng.integers(-8, 9, (rows, k1 + 1, (k0 + 2) * gap, 2)).astype(ml_dtypes.bfloat16)
        b = rng.integers(-8, 9, (k1 + 1, k0 + 2, spec.columns + 5, 2)).astype(ml_dtypes.bfloat16)
        c = rng.integers(-8, 9, (rows, spec.columns + 3)).astype("float32")
        before = c.copy()
        places = np.array([row.ctypes.data for row in a], np.int64)
        strides = (a.strides[1], gap * 4, b.ctypes.data, b.strides[0], b.strides[1])
        function(k1, k0, places.ctypes.data, *strides, c.ctypes.data, c.strides[0], accumulate)
        used = a[:, :k1, : k0 * gap : gap].astype("f8"), b[:k1, :k0, : spec.columns].astype("f8")
        want = np.einsum("rikp,iknp->rn", *used) + before[:, : spec.columns] * accumulate
        np.testing.assert_array_equal(c[:, : spec.columns], want)
        np.testing.assert_array_equal(c[:, spec.columns :], before[:, spec.columns :])


@pytest.mark.skipif(not host().multiplies_tiles, reason="the CPU has no AMX")
@pytest.mark.parametrize("vectors", [1, 2])
def test_the_kernel_by_tiles_matches_einsum(vectors):
    """Reductions of whole tiles, of less than one, of some with a rest; what lies behind is infinite."""
    rng = np.random.default_rng(vectors)
    library = native.load(tiles.build(vectors))
    function = library.function(tiles.symbol(vectors), 11)
    columns = tiles.SIDE * vectors
    for k1, k0, accumulate in [
        (1, 1, 0),
        (2, 3, 1),
        (3, 16, 0),
        (1, 64, 1),
        (0, 5, 1),
        (2, 0, 0),
        (2, 87, 1),
    ]:
        a = rng.integers(-8, 9, (tiles.ROWS, k1 + 1, k0 + 2, 2)).astype(ml_dtypes.bfloat16)
        b = rng.integers(-8, 9, (k1 + 1, k0 + 2, columns + 5, 2)).astype(ml_dtypes.bfloat16)
        a[:, :, k0:], b[:, k0:] = np.inf, np.inf
        c = rng.integers(-8, 9, (tiles.ROWS, columns + 3)).astype("float32")
        before, order = c.copy(), rng.permutation(tiles.ROWS)
        places = np.array([a[row].ctypes.data for row in order], np.int64)
        strides = (a.strides[1], 4, b.ctypes.data, b.strides[0], b.strides[1])
        function(k1, k0, places.ctypes.data, *strides, c.ctypes.data, c.strides[0], accumulate)
        used = a[order, :k1, :k0].astype("f8"), b[:k1, :k0, :columns].astype("f8")
        want = np.einsum("rikp,iknp->rn", *used) + before[:, :columns] * accumulate
        np.testing.assert_array_equal(c[:, :columns], want)
        np.testing.assert_array_equal(c[:, columns:], before[:, columns:])


def test_tiles_are_as_wide_as_the_output_needs():
    assert [tiles.choose(n) for n in (1, 16, 17, 512)] == [(32, 16), (32, 16), (32, 32), (32, 32)]


@pytest.mark.skipif(not host().multiplies_bfloat16, reason="the CPU has no AVX512_BF16")
def test_the_micro_kernel_of_pairs_keeps_its_sums_in_registers():
    rows, vectors = micro.choose(512, host())
    text = native.assembly(micro.build(micro.MicroSpec(rows, vectors, lanes("float32"), "bfloat16", True)))
    assert "vdpbf16ps" in text
    assert not re.search(r"v?mov[au]ps.*[xyz]mm.*\(%rsp\)", text)


@pytest.mark.skipif(not host().fuses, reason="without FMA, LLVM spills some; measured 0.8 of peak")
@pytest.mark.parametrize("unit_k", [True, False])
@pytest.mark.parametrize("n", [10, 32, 48, 512])
def test_accumulators_of_the_chosen_tile_stay_in_registers(n, unit_k):
    rows, vectors = micro.choose(n, host())
    text = native.assembly(micro.build(micro.MicroSpec(rows, vectors, lanes("float32"), "float32", unit_k)))
    assert not re.search(r"v?mov[au]ps.*[xyz]mm.*\(%rsp\)", text), "a vector register was spilled"


def test_choose_covers_the_width_with_little_waste():
    wide = Host("", "", vector_bytes=64, vector_registers=32, l1=1 << 15, l2=1 << 19, cores=1)
    assert [micro.choose(n, wide)[1] for n in (1, 16, 17, 48, 64, 80, 512)] == [1, 1, 2, 3, 4, 3, 4]
    assert micro.choose(16, wide, "float64")[1] == 2
    narrow = Host("", "", vector_bytes=32, vector_registers=16, l1=1 << 15, l2=1 << 19, cores=1)
    for n in (1, 8, 64, 1000):
        rows, vectors = micro.choose(n, narrow)
        assert rows * vectors + vectors + 1 <= 16, "accumulators, a row of B and a broadcast fit"


def test_symbols_tell_micro_kernels_apart():
    specs = [
        micro.MicroSpec(r, v, n, d, u)
        for r, v in TILES
        for n in (4, 8)
        for d in ("float32", "float64")
        for u in (True, False)
    ]
    assert len({micro.symbol(spec) for spec in specs}) == len(specs)
