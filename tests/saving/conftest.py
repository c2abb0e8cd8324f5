"""An honest file, whose parts the tests change."""

from __future__ import annotations

import zipfile

import pytest

import kcompile
from kcompile import layers


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The parts of an honest file."""
    path = tmp_path_factory.mktemp("good") / "m.keras"
    kcompile.Sequential([kcompile.Input((3,)), layers.Dense(2, name="d")]).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
