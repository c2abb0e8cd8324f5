"""Every program in examples/ builds networks that run the same in onnxruntime, or is named with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import scripts

ROOT = Path(__file__).resolve().parents[2]


script = scripts.script("make_onnx_networks")
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


def test_a_run_goes_on_where_it_was_stopped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "TABLE", tmp_path / "table.md")
    script.main(["example: mnist_cnn", "--resume"])
    line, text = capsys.readouterr().out, script.TABLE.read_text()
    assert line.startswith("| example: mnist_cnn | ") and line in text
    assert "Not measured yet: " in text and "ResNet50" in text
    monkeypatch.setattr(script, "row_of", lambda network: pytest.fail("measured again"))
    script.main(["example: mnist_cnn", "--resume"])
    assert capsys.readouterr().out == "" and script.TABLE.read_text() == text


def test_the_table_names_every_network_once():
    text = script.TABLE.read_text()
    names = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| ")]
    waiting = text.partition("Not measured yet: ")[2].removesuffix(".\n").split(", ")
    found = [*names[2:], *filter(None, waiting)]
    assert sorted(found) == sorted(network.name for network in script.networks())


def test_the_networks_of_the_table_are_exact():
    rows = [line.split(" | ") for line in script.TABLE.read_text().splitlines() if line.startswith("| ")]
    for row in rows[2:]:
        assert float(row[-1].removesuffix(" |")) <= 1e-4, row[0]
