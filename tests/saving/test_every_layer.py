"""The script that compares files of every layer with real Keras, on our own files of some models."""

from __future__ import annotations

import pytest

import kcompile
from tests.saving import every_layer

STACKS = every_layer.stacks


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The input with the key", "ignore:The state of optimizer")
def test_our_own_files(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(every_layer, "CASES", every_layer.CASES[::100])
    monkeypatch.setattr(every_layer, "stacks", lambda keras: dict([*STACKS(keras).items()][:8:2]))
    every_layer.write(kcompile, tmp_path)
    every_layer.read(kcompile, tmp_path)
    assert capsys.readouterr().out.endswith("models in three forms, 0 differ\n")


@pytest.mark.filterwarnings("ignore:The state of optimizer")
def test_what_differs_is_told(tmp_path, monkeypatch, capsys):
    """A file that was replaced by another model's weights is noticed."""
    monkeypatch.setattr(every_layer, "CASES", [])
    monkeypatch.setattr(every_layer, "several", lambda keras: {})
    monkeypatch.setattr(every_layer, "stacks", lambda keras: dict([*STACKS(keras).items()][4:6]))
    every_layer.write(kcompile, tmp_path)
    (tmp_path / "0.weights.h5").write_bytes((tmp_path / "1.weights.h5").read_bytes())
    every_layer.read(kcompile, tmp_path)
    printed = capsys.readouterr().out
    assert "nested.weights.h5: " in printed and printed.endswith("2 models in three forms, 1 differ\n")
