"""Every program in examples/ builds networks that run the same in onnxruntime, or is named with a reason."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load():
    spec = importlib.util.spec_from_file_location("make_onnx_networks", ROOT / "docs/make_onnx_networks.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


script = load()
EXAMPLES = list(script.examples())


def test_no_example_is_left_out():
    programs = {path.stem for path in (ROOT / "examples").glob("*.py")}
    named = {network.name.removeprefix("example: ").split()[0] for network in EXAMPLES}
    assert programs == named | script.NOT_EXPORTED.keys()


@pytest.mark.parametrize("network", EXAMPLES, ids=lambda n: n.name)
def test_an_example(network):
    """Batches of 1, 3 and 17, two extents where one is open, several opsets."""
    row = script.row_of(network)
    assert row.difference < 1e-4
    assert row.opsets[-1] == script.LATEST


def test_rows_that_are_done_are_not_measured_again(tmp_path, monkeypatch, capsys):
    keep = tmp_path / "rows"
    script.main(["example: mnist_cnn", "--keep", str(keep)])
    line = keep.read_text()
    assert line.startswith("| example: mnist_cnn | ")
    monkeypatch.setattr(script, "row_of", lambda network: pytest.fail("measured again"))
    script.main(["example: mnist_cnn", "--keep", str(keep)])
    assert keep.read_text() == line and capsys.readouterr().out == 2 * line
