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
