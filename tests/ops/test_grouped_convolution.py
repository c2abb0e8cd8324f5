"""Convolutions in groups against one convolution for each group: joined ones, dense ones, those left, and
those that share the lanes of vectors."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile
from kcompile import ops
from kcompile.autograd.backward import pull_back
from tests.helpers import assert_close

CASES = {
    # groups, channels and features of each, kernel, strides, padding
    "two": (2, 5, 7, (3, 3), 1, "same"),
    "four of a vector": (4, 8, 16, (3, 3), 1, "same"),
    "four, strided": (4, 3, 2, (3, 3), 2, "same"),
    "five, of which none fit together": (5, 2, 9, (3, 3), 1, "valid"),
    "eight in the lanes of vectors": (8, 4, 4, (3, 3), 1, "same"),
    "eight, strided": (8, 4, 4, (3, 3), 2, "same"),
    "eight, strided evenly": (8, 4, 2, (2, 2), 2, "valid"),
    "eight of half a vector": (8, 8, 8, (3, 3), 1, "same"),
    "eight of half a vector, strided": (8, 8, 8, (3, 3), 2, "same"),
    "eight of more channels than features": (8, 8, 4, (1, 3), 1, "valid"),
    "seven, no whole vectors": (7, 4, 4, (3, 3), 1, "same"),
    "twelve, three at a time": (12, 3, 5, (2, 3), 1, "valid"),
    "many": (32, 4, 4, (1, 1), 1, "valid"),
    "more features than lanes": (3, 4, 33, (3, 3), 1, "same"),
    "one channel each": (6, 1, 3, (3, 3), 1, "same"),
    "one feature each": (6, 3, 1, (3, 3), 1, "same"),
    "a row": (4, 3, 5, (3,), 1, "same"),
    "a volume": (4, 2, 3, (2, 2, 2), 1, "valid"),
}


def arrays_of(case):
    groups, depth, features, kernel, *_ = case
    rng = np.random.default_rng(groups)
    size = (9, 8, 5)[: len(kernel)]
    x = rng.normal(size=(2, *size, groups * depth)).astype("float32")
    return x, rng.normal(size=(*kernel, depth, groups * features)).astype("float32")


def grouped(x, w, case):
    return ops.conv(x, w, strides=case[4], padding=case[5])


def one_by_one(x, w, case):
    groups = case[0]
    parts = zip(ops.split(x, groups, axis=-1), ops.split(w, groups, axis=-1), strict=True)
    return ops.concatenate([grouped(a, b, case) for a, b in parts], axis=-1)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradients(name, dtype):
    case = CASES[name]
    x, w = (a.astype(dtype) for a in arrays_of(case))
    dy = np.random.default_rng(1).normal(size=np.asarray(one_by_one(x, w, case)).shape).astype(dtype)

    def outcome(convolution):
        def step(x, w, dy):
            y = convolution(x, w, case)
            return [y, *pull_back(y, dy, [x, w])]

        return kcompile.jit(step)(x, w, dy)

    for got, want in zip(outcome(grouped), outcome(one_by_one), strict=True):
        assert_close(np.asarray(got), np.asarray(want), terms=2 * 9 * 8 * 40)
