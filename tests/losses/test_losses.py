"""Losses beyond their numbers: names, configs, masks, errors."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import jit, losses
from kcompile.losses.loss import squeeze_or_expand_to_same_rank
from kcompile.ops import abs as ops_abs
from kcompile.trace.masks import set_mask
from tests.parity import training_cases as cases

y_true, y_pred = np.array([[1.0, 2.0], [3.0, 4.0]], "float32"), np.array([[1.5, 2.0], [3.0, 2.0]], "float32")


@pytest.mark.parametrize(
    "name, loss, kind", [pytest.param(*case, id=case[0]) for case in cases.losses(keras)]
)
def test_config_round_trip(name, loss, kind):
    config = losses.serialize(loss)
    assert config["module"] == "keras.losses" and config["class_name"] == type(loss).__name__
    again = losses.get(config)
    assert type(again) is type(loss) and again.get_config() == loss.get_config()
    labels, predictions, _ = cases.loss_data(kind)
    np.testing.assert_array_equal(again(labels, predictions), loss(labels, predictions))


@pytest.mark.parametrize(
    "loss, config",
    [
        (losses.MeanSquaredError(), {"name": "mean_squared_error", "reduction": "sum_over_batch_size"}),
        (losses.Huber(), {"name": "huber_loss", "reduction": "sum_over_batch_size"}),
        (losses.Huber(2.0), {"name": "huber_loss", "reduction": "sum_over_batch_size", "delta": 2.0}),
        (
            losses.SparseCategoricalCrossentropy(True, reduction="sum", name="s"),
            {"name": "s", "reduction": "sum", "from_logits": True, "ignore_class": None},
        ),
    ],
)
def test_configs_are_keras_configs(loss, config):
    assert loss.get_config() == config


@pytest.mark.parametrize("name", ["mse", "MSE", "mean_squared_error", "MeanSquaredError"])
def test_names(name):
    assert losses.get(name)(y_true, y_pred).mean() == pytest.approx(4.25 / 4)


def test_get():
    assert losses.get(None) is None
    assert losses.get(losses.Huber).delta == 1.0
    assert losses.get(losses.huber) is losses.huber
    with pytest.raises(ValueError, match=r"(?s)Could not interpret loss identifier: msee.*'mse'"):
        losses.get("msee")
    with pytest.raises(ValueError, match="loss identifier: 7"):
        losses.get(7)


def test_functions_serialize_by_name():
    config = losses.serialize(losses.mean_squared_error)
    assert config["config"] == "mean_squared_error"
    assert losses.deserialize(config) is losses.mean_squared_error
    wrapped = losses.LossFunctionWrapper(losses.huber, delta=0.5, name="h")
    again = losses.deserialize(losses.serialize(wrapped))
    assert (
        float(again(y_true, y_pred))
        == float(wrapped(y_true, y_pred))
        == float(losses.Huber(0.5)(y_true, y_pred))
    )


def test_a_users_loss():
    class Absolute(losses.Loss):
        def call(self, y_true, y_pred):
            return ops_abs(y_true - y_pred)

    loss = Absolute()
    assert loss.name == "absolute" or loss.name.startswith("absolute_")
    assert float(loss(y_true, y_pred)) == pytest.approx(2.5 / 4)
    assert float(Absolute(reduction="sum")(y_true, y_pred)) == pytest.approx(2.5)
    assert losses.deserialize(losses.serialize(loss), {"Absolute": Absolute}).name == loss.name
    with pytest.raises(ValueError, match="Absolute"):
        losses.deserialize(losses.serialize(loss))


def test_a_loss_without_call():
    with pytest.raises(NotImplementedError, match="must define call"):
        losses.Loss()(y_true, y_pred)


def test_an_unknown_reduction():
    with pytest.raises(ValueError, match="Invalid value for argument `reduction`.*reduction=average"):
        losses.MeanSquaredError(reduction="average")


def test_masked_values_do_not_count():
    masked = set_mask(y_pred.copy(), np.array([True, False]))
    assert float(losses.MeanSquaredError()(y_true, masked)) == pytest.approx(0.125)
    assert float(losses.MeanSquaredError(reduction="sum")(y_true, masked)) == pytest.approx(0.125)
    weights = np.array([2.0, 7.0])
    assert float(losses.MeanSquaredError()(y_true, masked, weights)) == pytest.approx(0.25)
    nothing = set_mask(y_pred.copy(), np.array([False, False]))
    assert float(losses.MeanSquaredError()(y_true, nothing)) == 0.0


@pytest.mark.parametrize(
    "a, b, expected",
    [
        ((3,), (3, 1), ((3, 1), (3, 1))),
        ((3, 1), (3,), ((3, 1), (3, 1))),
        ((3, 4), (3, 4, 1), ((3, 4), (3, 4))),
        ((3, 4, 1), (3, 4), ((3, 4), (3, 4))),
        ((3,), (3, 4), ((3,), (3, 4))),
        ((3, 4), (3, 4), ((3, 4), (3, 4))),
    ],
)
def test_ranks(a, b, expected):
    found = squeeze_or_expand_to_same_rank(np.zeros(a), np.zeros(b))
    assert tuple(part.shape for part in found) == expected


def test_an_axis_is_no_bool():
    with pytest.raises(ValueError, match="`axis` must be of type `int`"):
        losses.categorical_crossentropy(y_true, y_pred, axis=True)


@pytest.mark.parametrize("target, logit", [(0.0, np.inf), (1.0, -np.inf), (0.3, np.inf), (0.3, -np.inf)])
def test_infinite_logits_that_are_wrong_cost_infinity(target, logit):
    arrays = np.float32([[target]]), np.float32([[logit]])
    loss = losses.BinaryCrossentropy(from_logits=True)
    for run in (loss, jit(loss)):
        assert float(np.asarray(run(*arrays))) == np.inf


def test_sure_logits_that_are_right_cost_nothing():
    loss = losses.BinaryCrossentropy(from_logits=True, reduction="sum")
    for run in (loss, jit(loss)):
        assert float(np.asarray(run(np.float32([0, 1]), np.float32([-1e30, 1e30])))) == 0


FUNCTIONS = (
    "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error", "huber", "log_cosh",
    "mean_squared_logarithmic_error", "cosine_similarity", "hinge", "squared_hinge", "categorical_hinge",
    "poisson", "kl_divergence", "binary_focal_crossentropy", "categorical_focal_crossentropy", "dice",
    "tversky",
)  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_whole_numbers_is_one_of_floats(name):
    function, labels = getattr(losses, name), np.array([[0, 1, 1], [1, 0, 2]])
    predictions = np.array([[2, 1, 3], [1, 2, 4]], "int32")
    found, compiled = function(labels, predictions), jit(function)(labels, predictions)
    expected = function(labels.astype("float32"), predictions.astype("float32"))
    assert found.dtype == compiled.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(compiled, expected, rtol=1e-5)
