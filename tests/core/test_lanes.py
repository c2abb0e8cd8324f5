"""Groups whose columns or elements are no powers of two, one alone, or too many share no vector."""

from __future__ import annotations

import pytest

from kcompile.core.lanes import share_lanes


@pytest.mark.parametrize(("columns", "depth"), [(3, 4), (4, 3), (4, 16), (1, 4), (4, 1), (32, 8)])
def test_these_do_not(columns, depth):
    assert not share_lanes(columns, depth, 16)


@pytest.mark.parametrize(("columns", "depth"), [(2, 2), (2, 4), (4, 2), (8, 16), (16, 2)])
def test_these_do(columns, depth):
    assert share_lanes(columns, depth, 16)
