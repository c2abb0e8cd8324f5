"""Public ops against numbers, shapes and dtypes of real Keras (tests/parity/make_ops_fixtures.py)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from kcompile import ops
from kcompile.core import tree
from tests.parity.op_cases import cases, inputs

FIXTURES = Path(__file__).resolve().parents[1] / "parity" / "ops.npz"

# Patterns of cases that are not compared, each with its reason.
DIFFERENT = {
    r"(hard_tanh|log_sigmoid|softmax|log_softmax|layer_normalization)-u": "JAX wraps unsigned ints",
    r"softmax-[myo]-u": "JAX wraps small ints",
    r"floor_divide-(ib|bb|uu|two-i|true-i|two-u|true-u|two-b|true-b)": "an int divided by zero has no value",
    r"floor_divide-(y.u|m.u|u.b|.\.false)|.*divide-b.false": "an int divided by zero has no value",
    r"fmod-(ib|bb|uu|true-b|b.false)": "the remainder of a division by zero has no value",
    r"(arctan2|logaddexp|logaddexp2)-(h-half|half-h|h.-half)": "Keras widens float16 for Python floats",
    r".*-o.[iy]": "uint32 and int32 meet in int64, which JAX does not have unless asked",
    r"power-[ym].i32": "JAX takes a NumPy exponent for a Python number only here",
    r"power-y.m": "JAX looks at a few bits of the exponent only",
    r"(left|right)_shift-(bb|b-true|true-b)": "Keras on JAX makes ints of bools only here",
    r"sparsemax": "Keras's result does not sum to 1",
}


def expected() -> dict[str, list[np.ndarray]]:
    """What Keras returned for each case."""
    stored = np.load(FIXTURES)
    data, offset = stored["data"].tobytes(), 0
    found: dict[str, list[np.ndarray]] = {}
    for name, dtype, shape in json.loads(stored["index"].tobytes()):
        array = np.frombuffer(data, np.dtype(dtype), int(np.prod(shape)), offset).reshape(shape)
        offset += array.nbytes
        found.setdefault(name, []).append(array)
    return found


CASES, EXPECTED, INPUTS = cases(), expected(), inputs()


def compared() -> list[str]:
    return [name for name in EXPECTED if not any(re.fullmatch(pattern, name) for pattern in DIFFERENT)]


@pytest.mark.parametrize("name", compared())
def test_as_keras(name):
    got = [np.asarray(leaf) for leaf in tree.flatten(CASES[name](ops, INPUTS))]
    assert len(got) == len(EXPECTED[name])
    for actual, wanted in zip(got, EXPECTED[name], strict=True):
        assert (actual.shape, actual.dtype) == (wanted.shape, wanted.dtype)
        near = (
            2e-3 if wanted.dtype == np.float16 else 2e-5
        )  # several roundings of the dtype, in Keras and here
        np.testing.assert_allclose(actual.astype("f8"), wanted.astype("f8"), rtol=near, atol=near / 10)
