"""Dtype policies do what they do in Keras: dtypes, promotion, trajectories, loss scaling, files.

Fixtures by tests/parity/make_precision_fixtures.py.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from kcompile.core import dtypes
from tests.parity import precision_cases as cases

HERE = Path(cases.__file__).parent
EXPECTED = json.loads((HERE / "precision.json").read_text())


@cache
def arrays():
    with np.load(HERE / "precision.npz") as file:
        return dict(file)


def test_promotion_is_that_of_keras():
    assert cases.promotions(keras) == EXPECTED["promotions"]


@pytest.mark.parametrize("argument", ["", "dtype="])
@pytest.mark.parametrize("name", cases.POLICIES)
def test_layers_compute_in_the_same_dtypes(name, argument):
    found = cases.layer_dtypes(keras, name, bool(argument))
    assert found == EXPECTED[f"layers {argument}{name}"]


def test_layers_in_layers_read_weights_in_the_same_dtypes():
    assert cases.nested_dtypes(keras) == EXPECTED["nested"]


def unnumbered(described):
    """Without the numbers that make names unique in a process; TensorFlow counts iterations in 64 bits."""
    described = {**described, "optimizer": [n for n in described["optimizer"] if n[0] != "iteration"]}
    return json.loads(re.sub(r"(?<=[a-z])_\d+(?=[_/])", "", json.dumps(described)))


def tolerance(policy):
    """Of a loss after steps that each round many times; float64 leaves nothing but the last digits."""
    if policy == "float64":
        return 1e-12
    return 4 * dtypes.tolerance(policy.removeprefix("mixed_"))


# bfloat16 takes Adam's beta_2 for 1: Keras divides by 0 and stands still, ours goes the way of wider weights.
NUMBERS_OF = {"cnn bfloat16": "cnn mixed_bfloat16"}


@pytest.mark.parametrize("policy", [*cases.HALF_POLICIES, *cases.WIDE_POLICIES])
@pytest.mark.parametrize("model", cases.MODELS)
def test_trainings_go_keras_way(model, policy):
    found, expected, limit = cases.training(keras, model, policy), arrays(), tolerance(policy)
    assert unnumbered(found["described"]) == unnumbered(EXPECTED[f"{model} {policy}"])
    name = NUMBERS_OF.get(f"{model} {policy}", f"{model} {policy}")
    np.testing.assert_allclose(found["losses"], expected[f"{name}/losses"], rtol=limit, atol=limit)
    np.testing.assert_allclose(
        found["predicted"].astype("float64"), expected[f"{name}/predicted"], rtol=limit, atol=limit
    )
    for k, value in enumerate(found["weights"]):
        want = expected[f"{name}/{k}"]
        np.testing.assert_allclose(value, want, rtol=limit, atol=limit * max(1.0, abs(want).max()))


@pytest.mark.parametrize("name", cases.SCALINGS)
def test_loss_scale_and_variables_follow_keras(name):
    found = cases.scaling(keras, cases.SCALINGS[name])
    np.testing.assert_array_equal(found.pop("rows"), arrays()[f"scaling {name}/rows"])
    states = found.pop("states")
    np.testing.assert_allclose(states, arrays()[f"scaling {name}/states"], rtol=1e-5)
    assert found == EXPECTED[f"scaling {name}"]


@pytest.mark.parametrize("policy", ["mixed_float16", "bfloat16", "float64"])
def test_a_model_of_keras_loads_with_its_dtypes_and_state(policy, tmp_path):
    model = keras.models.load_model(HERE / f"precision_{policy}.keras")
    x, y = next(cases.batches("mlp"))
    want = np.load(HERE / f"precision_{policy}.npy")
    limit = 16 * dtypes.tolerance(policy.removeprefix("mixed_"))
    np.testing.assert_allclose(model.predict(x, verbose=0).astype("f8"), want, rtol=limit, atol=limit)
    stored = "float32" if policy == "mixed_float16" else policy
    assert [v.dtype for v in model.weights] == [stored] * 6 + [
        policy if policy == "float64" else "float32"
    ] * 2
    assert model.optimizer.built
    assert int(model.optimizer.iterations) == 1
    assert any(np.any(v.numpy().astype("f4")) for v in model.optimizer.variables if "momentum" in v.name)
    model.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    for a, b in zip(model.weights, again.weights, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    for a, b in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        assert (a.name, a.dtype) == (b.name, b.dtype)
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert model.train_on_batch(x, y) == again.train_on_batch(x, y)
