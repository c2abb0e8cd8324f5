"""A small model for the tests of the command line."""

from __future__ import annotations

import pytest

import kcompile


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A small model, saved."""
    from kcompile import layers

    model = kcompile.Sequential(
        [
            kcompile.Input((6,), name="numbers"),
            layers.Dense(4, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    path = tmp_path_factory.mktemp("model") / "small.keras"
    model.save(path)
    return path
