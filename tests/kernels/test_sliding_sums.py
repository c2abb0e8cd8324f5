"""The micro-kernel of sums along a window against float64 sums, and that nothing leaves the registers."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.kernels import native
from kcompile.kernels.contract import sliding_sums
from kcompile.kernels.contract.sliding_sums import SumSpec
from kcompile.kernels.host import host

LANES = host().lanes("float32")
# elements, taps, spread, features
SHAPES = [
    (1, 3, 1, LANES),
    (3, 3, 1, LANES),
    (4, 2, 2, LANES),
    (2, 5, 1, LANES),
    *((d, 3, 1, f) for f, d in [(2, 2), (4, 4), (4, 2), (2, 4), (8, 8)] if f < LANES),
]


def run(spec, k1, k0, accumulate):
    """One call, with gaps between all strides: C, what it should hold, the bound of the error, C before."""
    rng = np.random.default_rng(spec.elements)
    taps, groups = spec.taps, spec.lanes // spec.features
    a = rng.normal(size=(k1 + 1, k0 + spec.apart, spec.step // 4)).astype("float32")
    b = rng.normal(size=(k1 + 1, k0 + 1, spec.lanes + 2)).astype("float32")
    c = rng.normal(size=(taps, spec.elements + 2, spec.lanes + 3)).astype("float32")
    before = c.copy()
    library = native.load(sliding_sums.build(spec))
    function = library.function(sliding_sums.symbol(spec), 12)
    function(
        k1, k0, a.ctypes.data, a.strides[0], spec.step, b.ctypes.data, b.strides[0], b.strides[1],
        c.ctypes.data, c.strides[1], accumulate, c.strides[0],
    )  # fmt: skip
    want = before[:, : spec.elements, : spec.lanes].astype("f8") * accumulate
    magnitude = abs(want)
    for tap in range(taps):
        first = tap * spec.spread
        used = a[:k1, first : first + k0].astype("f8")
        used = used[..., : groups * spec.elements]
        used = used.reshape(k1, k0, groups, spec.elements).swapaxes(2, 3).repeat(spec.features, axis=3)
        products = used * b[:k1, :k0, None, : spec.lanes].astype("f8")
        want[tap] += products.sum((0, 1))
        magnitude[tap] += abs(products).sum((0, 1))
    return c, want, (k1 * k0 + 1) * np.finfo("float32").eps * magnitude, before


@pytest.mark.parametrize("shape", SHAPES)
def test_taps_share_what_they_read(shape):
    elements, taps, spread, features = shape
    step = 4 * (LANES // features * elements + 3)
    spec = SumSpec(elements, LANES, "float32", step, taps, spread, features)
    for k1, more, accumulate in [(1, 0, 0), (1, 1, 1), (3, 7, 1), (0, 2, 1)]:
        c, want, bound, before = run(spec, k1, spec.apart + more, accumulate)
        assert (abs(c[:, :elements, :LANES] - want) <= bound).all(), (k1, more, accumulate)
        assert np.array_equal(c[:, elements:], before[:, elements:]), "wrote behind its rows"
        assert np.array_equal(c[..., LANES:], before[..., LANES:]), "wrote beside its tile"


@pytest.mark.skipif(host().vector_bytes != 64, reason="counts instructions of AVX-512")
@pytest.mark.parametrize(("features", "elements"), [(16, 8), (4, 4), (8, 8)])
def test_sums_stay_in_registers(features, elements):
    text = native.assembly(sliding_sums.build(SumSpec(elements, 16, "float32", 64, 3, 1, features)))
    assert "vfmadd" in text
    assert not [line for line in text.splitlines() if "zmm" in line and "(%rsp)" in line]
