"""Losses, metrics, masks and sample weights of several outputs in `compile()`: what Keras shows of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from tests.parity import compiled_metric_cases as cases

EXPECTED = json.loads((Path(cases.__file__).parent / "compiled_metrics.json").read_text())


@pytest.mark.parametrize("seed", [seed for seed, shown in EXPECTED.items() if "error" not in shown])
def test_names_and_numbers(seed):
    found, expected = cases.run(keras, int(seed)), EXPECTED[seed]
    assert list(map(plain, found)) == list(map(plain, expected))
    for name, a, b in zip(expected, found.values(), expected.values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6, err_msg=name)


def plain(name):
    """A name without the number that counts the metrics of a whole process."""
    return re.sub(r"_\d+$", "", name)


def test_most_cases_have_numbers():
    assert sum("error" not in shown for shown in EXPECTED.values()) > 0.8 * cases.COUNT
