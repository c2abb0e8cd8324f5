"""Penalties and projections, against formulas and figures of Keras."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import constraints, ops, regularizers

W = np.arange(6, dtype="float32").reshape(2, 3) - 2


def test_penalties():
    assert float(regularizers.L1(0.5)(W)) == 0.5 * np.abs(W).sum()
    assert float(regularizers.L2(0.5)(W)) == 0.5 * (W**2).sum()
    np.testing.assert_allclose(regularizers.L1L2(0.1, 0.2)(np.abs(W)), 0.1 * 9 + 0.2 * 19, rtol=1e-6)
    nothing = regularizers.L1L2()(W)
    assert float(nothing) == 0 and nothing.dtype == "float32"


@pytest.mark.parametrize(
    "name, kind", [("l1l2", "L1L2"), ("L1L2", "L1L2"), ("orthogonal_regularizer", "OrthogonalRegularizer")]
)
def test_names_are_split_as_in_keras(name, kind):
    assert type(regularizers.get(name)).__name__ == kind
    with pytest.raises(ValueError, match="Could not interpret regularizer identifier: l1_l2"):
        regularizers.get("l1_l2")


def test_the_base_of_constraints_changes_nothing():
    assert constraints.Constraint()(W) is W


def test_orthogonal_penalty():
    # Keras 3.15: OrthogonalRegularizer()(eye(3) + 0.1)
    found = regularizers.OrthogonalRegularizer()(np.eye(3, dtype="float32") + 0.1)
    np.testing.assert_allclose(found, 0.0018699191, rtol=1e-5)
    columns = np.array([[1, 0, 1], [0, 1, 1]], "float32")
    np.testing.assert_allclose(
        regularizers.OrthogonalRegularizer(1.0, mode="columns")(columns), 2 / np.sqrt(2) / 3, rtol=1e-6
    )


def test_projections():
    # Keras 3.15 on the same array.
    wanted = {
        "max_norm": [[-1.7888544, -0.8944272, 0.0], [0.8944272, 1.7888544, 2.0]],
        "min_max_norm": [[-0.8944272, -0.4472136, 0.0], [0.4472136, 0.8944272, 1.0]],
        "unit_norm": [[-0.8944272, -0.4472136, 0.0], [0.4472136, 0.8944272, 1.0]],
        "non_neg": [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]],
    }
    for name, projected in wanted.items():
        np.testing.assert_allclose(constraints.get(name)(W), projected, atol=1e-6, err_msg=name)
    halfway = constraints.MinMaxNorm(min_value=4.0, max_value=5.0, rate=0.5, axis=None)
    norm = np.sqrt((W**2).sum())
    np.testing.assert_allclose(
        np.sqrt((halfway(W) ** 2).sum()), (norm + 4.3588989) / 2 if norm > 4 else 0, rtol=1e-5
    )


@pytest.mark.parametrize(
    "module, names", [(regularizers, ["L1", "L2", "L1L2"]), (constraints, ["MaxNorm", "UnitNorm"])]
)
def test_names_and_configs(module, names):
    for name in names:
        made = module.get(name)
        data = module.serialize(made)
        assert data["module"] == module.__name__.replace("kcompile", "keras") and data["class_name"] == name
        assert module.deserialize(data).get_config() == made.get_config()
    assert module.get(None) is None
    assert module.get(len) is len


def test_wrong_ones():
    with pytest.raises(ValueError, match="l1: expected a non-negative float"):
        regularizers.L1(-1)
    with pytest.raises(ValueError, match="l2: expected a non-negative float"):
        regularizers.L2("a")
    with pytest.raises(ValueError, match='"rows", "columns"'):
        regularizers.OrthogonalRegularizer(mode="x")
    with pytest.raises(ValueError, match="rank 2"):
        regularizers.OrthogonalRegularizer()(np.ones(3, "float32"))
    with pytest.raises(ValueError, match="Could not interpret constraint identifier: 3"):
        constraints.get(3)


@pytest.mark.parametrize("dtype", ["int32", "bool", "float16", "float64"])
def test_factors_have_the_dtype_of_the_weights(dtype):
    w = np.array([[1, 2], [3, 1]]).astype(dtype)
    whole = {"int32": 0, "bool": 4, "float16": 2.1, "float64": 2.1}[dtype]  # 0.3 is 0 as an int, 1 as a bool
    for penalty in (regularizers.L1(0.3), regularizers.L1L2(0.3, 0)):
        value = penalty(w)
        assert value.dtype == (dtype if dtype != "bool" else "int32")
        np.testing.assert_allclose(value, whole, rtol=1e-3)


HALF = np.array([[0.3, -1.7, 2.2], [0.9, 0.4, -0.6]])
KERAS = [  # what Keras says of HALF in bfloat16
    (
        constraints.MaxNorm(1.0),
        [[0.30078125, -0.97265625, 0.96484375], [0.8984375, 0.228515625, -0.263671875]],
    ),
    (constraints.UnitNorm(), [[0.31640625, -0.97265625, 0.96484375], [0.9453125, 0.228515625, -0.263671875]]),
    (
        constraints.MinMaxNorm(0.5, 1.0, rate=0.7),
        [[0.30078125, -1.1875, 1.34375], [0.8984375, 0.279296875, -0.3671875]],
    ),
    (constraints.NonNeg(), [[0.30078125, 0.0, 2.203125], [0.8984375, 0.400390625, 0.0]]),
    (regularizers.L1(0.1), 0.609375),
    (regularizers.L2(0.1), 0.91796875),
    (regularizers.L1L2(0.1, 0.3), 3.375),
]


@pytest.mark.parametrize("rule, expected", KERAS, ids=lambda x: type(x).__name__)
def test_half_precision_stays_half(rule, expected):
    found = rule(ops.cast(HALF, "bfloat16"))
    assert str(found.dtype) == "bfloat16"
    assert found.tolist() == expected


def test_non_negative_ints_stay_ints():
    found = constraints.NonNeg()(np.array([-2, 3], "int32"))
    assert found.dtype == "int32" and found.tolist() == [0, 3]
