"""Addresses of arrays' elements, as NumPy's own way tells them."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.core.addresses import _by_interface, address_of

ARRAYS = {
    "own": np.zeros((3, 4), np.float32),
    "view": np.zeros((9, 5), np.int16)[2:, 3:],
    "empty": np.zeros(0, np.int8),
    "scalar": np.array(2.0),
    "foreign": np.frombuffer(b"12345678", np.int64),
    "subclass": np.zeros(3).view(np.recarray),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_the_short_way_finds_what_the_long_one_finds(name):
    assert address_of(ARRAYS[name]) == _by_interface(ARRAYS[name])


def test_the_short_way_is_taken():
    assert address_of is not _by_interface
