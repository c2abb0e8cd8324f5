"""The transposition kernel."""

import re

import numpy as np
import pytest

from kcompile.kernels import native
from kcompile.kernels.contract import transpose
from kcompile.kernels.host import host

SHAPES = [
    (0, 5),
    (5, 0),
    (1, 1),
    (1, 40),
    (40, 1),
    (3, 17),
    (4, 4),
    (15, 16),
    (16, 16),
    (17, 33),
    (64, 10),
    (50, 48),
]


@pytest.fixture(scope="module", params=[32, 64])
def kernel(request):
    library = native.load(transpose.build(request.param, host()))
    yield request.param, library.function(transpose.symbol(request.param, host()), 6)
    del library


@pytest.mark.parametrize("rows, cols", SHAPES)
def test_transpose_of_any_shape_writes_nothing_beside(kernel, rows, cols):
    bits, function = kernel
    dtype = np.dtype(f"u{bits // 8}")
    source = np.random.default_rng(0).integers(0, 1 << 31, (rows + 1, cols + 3)).astype(dtype)
    target = np.full((cols + 1, rows + 2), 7, dtype)
    function(rows, cols, source.ctypes.data, source.strides[0], target.ctypes.data, target.strides[0])
    assert np.array_equal(target[:cols, :rows], source[:rows, :cols].T)
    assert (target[cols:] == 7).all() and (target[:, rows:] == 7).all()


def test_blocks_stay_in_registers():
    text = native.assembly(transpose.build(32, host()))
    assert not re.search(r"v?mov[au]p[sd].*[xyz]mm.*\(%rsp\)", text), "a vector register was spilled"


def test_other_widths_are_refused():
    with pytest.raises(ValueError, match="32 or 64 bits"):
        transpose.build(16, host())
