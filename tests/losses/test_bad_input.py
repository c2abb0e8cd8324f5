"""What losses refuse."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import losses


def test_settings():
    with pytest.raises(ValueError, match=r"q must be in the interval \(0, 1\).*q=1"):
        losses.CategoricalGeneralizedCrossEntropy(1)
    with pytest.raises(ValueError, match="Invalid value for argument `reduction`"):
        losses.Circle(reduction="average")
    for kind in (losses.CategoricalCrossentropy, losses.CategoricalFocalCrossentropy):
        with pytest.raises(ValueError, match="`axis` must be of type `int`"):
            kind(axis=True)(np.eye(2), np.eye(2))


def test_shapes_of_ctc():
    logits = np.zeros((2, 5, 3), "float32")
    with pytest.raises(ValueError, match=r"Targets `y_true` are expected.*y_true.shape=\(2,\)"):
        losses.ctc(np.array([1, 2]), logits)
    with pytest.raises(ValueError, match=r"Logits `y_pred` are expected.*y_pred.shape=\(5, 3\)"):
        losses.ctc(np.array([[1, 2]]), logits[0])


def test_circle_compares_with_references():
    """A reference set of the batch itself, without removing pairs, is the batch."""
    x = np.eye(3, dtype="float32")
    y = np.array([0, 1, 0])
    alone = losses.circle(y, x, remove_diagonal=False, gamma=2.0)
    beside = losses.circle(y, x, ref_labels=y, ref_embeddings=x, remove_diagonal=False, gamma=2.0)
    np.testing.assert_array_equal(alone, beside)
    assert losses.circle(y, x, ref_labels=y[:2], ref_embeddings=x[:2], remove_diagonal=False).shape == (3,)


@pytest.mark.parametrize("kind", ["MeanSquaredError", "Dice", "CategoricalCrossentropy", "LogCosh"])
def test_dicts_are_no_labels(kind):
    y = np.ones((2, 3), "float32")
    for given in (({"a": y}, {"a": y}), (y, {"a": y})):
        with pytest.raises(
            ValueError, match=f"Loss '{getattr(losses, kind)().name}' takes one tensor of labels"
        ):
            getattr(losses, kind)()(*given)


def test_ignored_classes_need_an_axis_of_classes():
    loss = losses.SparseCategoricalCrossentropy(ignore_class=1)
    with pytest.raises(TypeError, match=r"axis of classes more.*y_true.shape=\(4,\), y_pred.shape=\(4,\)"):
        loss(np.array([0, 1, 0, 1]), np.full(4, 0.5, "float32"))


@pytest.mark.parametrize(
    "loss",
    [losses.SparseCategoricalCrossentropy(ignore_class=1), losses.Circle()],
    ids=["ignored", "circle"],
)
def test_weights_that_do_not_fit_a_mask(loss):
    with pytest.raises(TypeError, match=r"the mask and sample_weight: shapes \(4\) and \(5\)"):
        loss(np.array([0, 1, 0, 1]), np.eye(4, 3, dtype="float32"), np.ones(5, "float32"))


def test_labels_fewer_than_predictions():
    with pytest.raises(TypeError, match="y_true and y_pred"):
        losses.CategoricalGeneralizedCrossEntropy()(np.array([0, 1, 0]), np.eye(4, 3, dtype="float32"))


def test_smoothed_labels_of_no_class():
    nothing = np.zeros((0,), "float32")
    assert float(losses.CategoricalCrossentropy(label_smoothing=0.1)(nothing, nothing)) == 0
