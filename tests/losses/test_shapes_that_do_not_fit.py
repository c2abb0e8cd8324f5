"""Labels, predictions and weights whose shapes do not fit: the types that Keras raises on JAX."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, losses

NAMES = [
    "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error", "kl_divergence", "poisson", "huber", "log_cosh", "cosine_similarity",
    "hinge", "squared_hinge", "categorical_focal_crossentropy", "categorical_hinge", "dice", "tversky",
]  # fmt: skip
SHAPES = [((4, 3), (4, 2)), ((5, 3), (4, 3))]


@pytest.mark.parametrize("y_true, y_pred", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_eager_functions_and_losses(name, y_true, y_pred):
    given = np.full(y_true, 0.5, "float32"), np.full(y_pred, 0.5, "float32")
    for loss in (getattr(losses, name), losses.LossFunctionWrapper(getattr(losses, name))):
        with pytest.raises(TypeError, match=r"cannot be broadcast") as caught:
            loss(*given)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy"])
def test_cross_entropies_raise_value_errors_alone(name):
    with pytest.raises(ValueError) as caught:
        getattr(losses, name)(np.ones((4, 3)), np.full((4, 2), 0.5))
    assert not isinstance(caught.value, TypeError)


def test_weights_of_another_length():
    loss = losses.MeanSquaredError()
    with pytest.raises(TypeError, match="sample_weight.*cannot be broadcast"):
        loss(np.ones((4, 3)), np.ones((4, 3)), sample_weight=np.ones(3))


@pytest.mark.parametrize("given", [(None, np.ones(3)), (np.ones(3), None)])
def test_labels_and_predictions_are_needed(given):
    for loss in (losses.mean_squared_error, losses.MeanSquaredError()):
        with pytest.raises(ValueError, match="abels and predictions"):
            loss(*given)


def test_in_fit():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    for call in (model.fit, model.evaluate, model.train_on_batch):
        with pytest.raises(
            TypeError, match="loss 'mse': labels, predictions and weights do not fit"
        ) as caught:
            call(np.ones((6, 4)), np.ones((6, 3)))
        assert isinstance(caught.value, ValueError)
