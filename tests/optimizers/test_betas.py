"""Decay rates that a dtype rounds: bias corrections in half precision, and first steps to the last digit."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import optimizers
from kcompile.optimizers.betas import bias_left, complement


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("beta", [0.9, 0.99, 0.999])
def test_what_an_average_has_reached(dtype, beta):
    tolerance = {"float16": 0.03, "bfloat16": 0.25, "float32": 2e-5, "float64": 1e-12}[dtype]  # of 1 - beta
    for updates in (0, 1, 9):
        left = float(bias_left(beta, updates, dtype))
        assert left == pytest.approx(1 - beta ** (updates + 1), rel=tolerance)
    assert complement(beta, dtype) == pytest.approx(1 - beta, rel=tolerance)
    if dtype != "bfloat16" or beta < 0.99:  # there the two go by other roundings of beta
        assert complement(beta, dtype) == float(bias_left(beta, 0, dtype))


MADE = [
    *[(kind, {}) for kind in ("Adam", "AdamW", "Nadam", "Lamb", "ScheduleFreeAdamW")],
    *[("Adam", {"amsgrad": True}), ("Muon", {"exclude_layers": [".*"]})],
]


@pytest.mark.parametrize("kind, settings", MADE)
def test_bfloat16_storage_learns(kind, settings):
    """beta_2 of 0.999 is 1 in bfloat16; the steps are still those of float32, to bfloat16's digits."""
    found = {}
    for dtype in ("bfloat16", "float32"):
        variable = keras.Variable(np.linspace(-1, 1, 5, dtype="float32"), dtype=dtype)
        optimizer = getattr(optimizers, kind)(learning_rate=0.1, **settings)
        for step in range(3):
            gradient = np.linspace(-0.5, 0.7, 5, dtype="float32") + step / 10
            optimizer.apply_gradients([(keras.ops.cast(gradient, dtype), variable)])
        found[dtype] = variable.numpy().astype("float32")
    np.testing.assert_allclose(found["bfloat16"], found["float32"], atol=0.03)  # steps are 0.1


@pytest.mark.parametrize("kind, expected", [("Nadam", -0.06278765), ("ScheduleFreeAdamW", 0.0)])
def test_a_first_step_is_the_learning_rate_to_the_last_digit(kind, expected):
    """Values of Keras: 1 - beta_2 cancels, if both sides round it alike."""
    variable = keras.Variable(np.ones(3, "float32"))
    getattr(optimizers, kind)(learning_rate=1.0).apply_gradients([(np.ones(3, "float32"), variable)])
    np.testing.assert_allclose(variable.numpy(), expected, rtol=0, atol=2e-7)


def test_lion_rounds_its_rates_as_its_variables():
    """Where the rates of bfloat16 decide the sign: 0.8984 m + 0.1016 g, not 0.9 m + 0.1 g."""
    variable = keras.Variable(np.zeros(1, "float32"), dtype="bfloat16")
    optimizer = optimizers.Lion(1.0)
    optimizer.build([variable])
    optimizer.variables[2].assign(np.array([-1.0]))
    optimizer.apply_gradients([(keras.ops.cast(np.array([8.9]), "bfloat16"), variable)])
    assert variable.numpy().tolist() == [-1.0]
