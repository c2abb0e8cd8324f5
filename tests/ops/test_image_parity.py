"""`ops.image` against numbers, shapes and dtypes of real Keras (tests/parity/make_image_fixtures.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kcompile import ops
from kcompile.core import tree
from tests.parity import packed
from tests.parity.image_op_cases import cases, inputs

CASES, INPUTS = cases(), inputs()
EXPECTED = packed.load(Path(__file__).resolve().parents[1] / "parity" / "image_ops.npz")
HALF_NEAR = 4e-3  # several roundings to 11 bits, in another order than Keras's
NEAR = 2e-5


def test_every_case_is_compared():
    assert EXPECTED.keys() == CASES.keys()


FLOATS = {key: array.astype("float32") for key, array in INPUTS.items()}


def is_rounded_half(name: str, actual: np.ndarray, wanted: np.ndarray) -> bool:
    """Do integers differ only where the number before rounding lies at a half, to float32's precision?"""
    if wanted.dtype.kind not in "iu":
        return False
    differ = actual != wanted
    exact = np.asarray(CASES[name](ops, FLOATS))[differ].astype("float64")
    assert np.abs(actual.astype("int64") - wanted.astype("int64")).max() <= 1
    return bool(np.all(np.abs(exact - np.floor(exact) - 0.5) < 255 * 1e-6))


@pytest.mark.parametrize("name", EXPECTED)
def test_as_keras(name):
    got = [np.asarray(leaf) for leaf in tree.flatten(CASES[name](ops, INPUTS))]
    for actual, wanted in zip(got, EXPECTED[name], strict=True):
        assert (actual.shape, actual.dtype) == (wanted.shape, wanted.dtype)
        if is_rounded_half(name, actual, wanted):
            continue
        near = HALF_NEAR if wanted.dtype == np.float16 else NEAR
        np.testing.assert_allclose(actual.astype("f8"), wanted.astype("f8"), rtol=near, atol=near)
