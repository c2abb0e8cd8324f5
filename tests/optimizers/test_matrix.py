"""Each optimizer with each common option trains as in Keras: weights and slots, in order, by their paths."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from tests.parity import optimizer_cases


@cache
def fixtures():
    return json.loads((Path(__file__).parents[1] / "parity" / "optimizers.json").read_text())


def check(name, eager):
    expected, found = fixtures()[name], optimizer_cases.run(keras, optimizer_cases.CASES[name], eager)
    paths = [path for path, _ in expected["variables"]]
    assert [path for path, _ in found["variables"]] == paths
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=1e-4, err_msg="losses")
    np.testing.assert_allclose(found["weights"], expected["weights"], rtol=1e-4, atol=1e-5, err_msg="weights")
    for (path, expected_sums), (_, sums) in zip(expected["variables"], found["variables"], strict=True):
        np.testing.assert_allclose(sums, expected_sums, rtol=2e-4, atol=1e-5, err_msg=path)


@pytest.mark.parametrize("name", optimizer_cases.CASES)
def test_op_by_op(name):
    check(name, eager=True)


@pytest.mark.compiled
@pytest.mark.parametrize("name", list(optimizer_cases.CASES)[::6])
def test_compiled(name):
    check(name, eager=False)
