"""The examples in docstrings of the benchmarks."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("name", ["bars", "cpu_use", "report", "results"])
def test_examples_of(name):
    result = doctest.testmod(import_module(f"benchmarks.{name}"))
    assert result.attempted > 0 and result.failed == 0
