"""The first steps of layers: measured in fresh processes, the slowest first."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchmarks import first_steps


def number_of(layer):
    return next(k for k, one in enumerate(first_steps.ALL) if one.layer == layer)


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["Dense", "TimeDistributed", "Hashing"])
def test_a_first_step_is_measured_with_an_empty_cache(layer):
    assert 0.1 < first_steps.seconds(number_of(layer)) < 60


def test_a_layer_that_fails_is_told(monkeypatch):
    monkeypatch.setattr(first_steps, "ALL", [])
    with pytest.raises(RuntimeError, match="IndexError"):
        first_steps.seconds(len(first_steps.CASES) + len(first_steps.MORE))


def test_the_slowest_comes_first():
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(first_steps.table({"Dense": 0.5, "LSTM": 1.25, "Add": 0.25}))
    text = console.export_text()
    assert text.index("LSTM") < text.index("Dense") < text.index("Add")
