"""Ten kinds of models: twenty steps go Keras's way, in memory where whatever is free is poisoned too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from kcompile.core.config import config
from kcompile.runtime import program
from tests.parity import model_kinds

FIXTURES = np.load(Path(model_kinds.__file__).with_name("model_kinds.npz"))
known: dict[str, dict[str, np.ndarray]] = {}


def trajectory(name):
    if name not in known:
        keras.utils.set_random_seed(0)
        known[name] = model_kinds.trajectory(keras, name)
    return known[name]


@pytest.mark.compiled
@pytest.mark.parametrize("name", model_kinds.KINDS)
def test_twenty_steps_go_keras_way(name):
    found = trajectory(name)
    assert {f"{name}/{key}" for key in found} == {k for k in FIXTURES.files if k.startswith(f"{name}/")}
    for key, value in found.items():
        np.testing.assert_allclose(value, FIXTURES[f"{name}/{key}"], rtol=1e-4, atol=1e-4, err_msg=key)


@pytest.mark.compiled
@pytest.mark.parametrize("name", model_kinds.KINDS)
def test_no_kernel_reads_memory_that_is_free(name):
    with config(poison=True):
        found = model_kinds.trajectory(keras, name)
    for key, value in trajectory(name).items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


@pytest.mark.compiled
def test_poison_shows_a_buffer_that_is_given_up_too_early(monkeypatch):
    original = program.lives

    def short(touched):
        return {v: (first, max(first, last - 1)) for v, (first, last) in original(touched).items()}

    monkeypatch.setattr(program, "lives", short)
    with config(poison=True):
        found = model_kinds.trajectory(keras, "cnn")
    assert np.isnan(found["log_loss"]).all()
