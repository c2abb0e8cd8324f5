"""Where an array's elements lie in memory: asked several times in every run of a program."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import numpy as np


def _by_interface(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def _fastest() -> Callable[[np.ndarray], int]:
    """NumPy's public way builds a dictionary, which takes ten times as long as the first field of the
    array's struct, `char *data`, behind what every Python object begins with.

    https://numpy.org/doc/stable/reference/c-api/types-and-structures.html#c.PyArrayObject
    """
    if sys.implementation.name != "cpython":  # elsewhere id(x) need not be where x lies
        return _by_interface
    head, word_at = object.__basicsize__, ctypes.c_size_t.from_address

    def by_field(array: np.ndarray) -> int:
        return word_at(id(array) + head).value

    samples: list[np.ndarray] = [np.zeros(3), np.zeros((2, 3), np.int8)[:, 1:]]
    same = all(by_field(sample) == _by_interface(sample) for sample in samples)
    return by_field if same else _by_interface


address_of = _fastest()
