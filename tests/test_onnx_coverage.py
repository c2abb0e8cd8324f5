"""docs/onnx-coverage.md lists every layer that has cases, and its rows are what the script measures."""

from __future__ import annotations

import pytest

from kcompile.export.onnx import apart
from tests import scripts
from tests.export.onnx_tools import DIES

script = scripts.script("make_onnx_coverage")
LINES = {line.split("`")[1]: line for line in script.TABLE.read_text().splitlines() if line.startswith("| `")}


def test_every_layer_has_a_row():
    assert list(LINES) == [*script.layer_names(), *sorted(script.NOT_EXPORTED)], (
        "run `python docs/make_onnx_coverage.py`"
    )


def test_every_public_layer_is_written_or_named_with_a_reason():
    assert set(script.public_layers()) <= set(LINES)


def test_no_other_layer_is_left_out_and_all_are_exact():
    assert {name for name, line in LINES.items() if "not exported" in line} == script.NOT_EXPORTED.keys()
    for name, line in LINES.items():
        assert name in script.NOT_EXPORTED or float(line.split("|")[-2]) <= 1e-5, line


@pytest.mark.parametrize("layer", ["LeakyReLU", "Dense", "GroupNormalization", "Cropping1D"])
def test_rows_are_what_the_script_measures(layer):
    again = script.line_of(script.row_of(layer)).split("|")
    assert again[:-2] == LINES[layer].split("|")[:-2], "run `python docs/make_onnx_coverage.py`"
    assert float(again[-2]) <= 1e-5


def test_a_crash_of_onnxruntime_is_named_in_its_row(monkeypatch):
    monkeypatch.setattr(apart, "_idle", [])
    monkeypatch.setattr(apart, "SERVE", DIES)
    assert "onnxruntime dies of it, by SIGABRT" in script.line_of(script.row_of("LeakyReLU"))
