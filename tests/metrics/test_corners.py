"""Metrics with unusual arguments: columns of classes, no thresholds of one's own, too many of the best."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import metrics

SCORES = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.2, 0.3, 0.5], [0.3, 0.4, 0.3]], "float32")
CLASSES = np.array([2, 1, 2, 0], "int32")


def test_sparse_top_k_keeps_the_shape_of_the_classes():
    flat = metrics.sparse_top_k_categorical_accuracy(CLASSES, SCORES, k=1)
    column = metrics.sparse_top_k_categorical_accuracy(CLASSES[:, None], SCORES, k=1)
    assert flat.tolist() == [0.0, 0.0, 1.0, 0.0]
    assert column.shape == (4, 1) and column[:, 0].tolist() == flat.tolist()


@pytest.mark.parametrize("weights", [None, np.array([1.0, 0.0, 3.0, 1.0], "float32")])
def test_sparse_top_k_of_a_column_counts_as_that_of_a_row(weights):
    one, other = (metrics.SparseTopKCategoricalAccuracy(k=1) for _ in range(2))
    one.update_state(CLASSES, SCORES, weights)
    other.update_state(CLASSES[:, None], SCORES, weights)
    assert float(one.result()) == float(other.result()) == (0.25 if weights is None else pytest.approx(0.6))


def test_an_area_under_a_curve_of_two_points():
    metric = metrics.AUC(thresholds=[])
    assert metric.num_thresholds == 2
    metric.update_state(np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.4, 0.6], "float32"))
    assert float(metric.result()) == pytest.approx(0.5)
    assert metrics.AUC.from_config(metric.get_config()).thresholds == metric.thresholds


@pytest.mark.parametrize("kind", ["Precision", "Recall"])
def test_more_of_the_best_than_classes_are_refused(kind):
    metric = getattr(metrics, kind)(top_k=4)
    with pytest.raises(ValueError, match="number of classes, 3"):
        metric.update_state(np.eye(3)[CLASSES], SCORES)
    getattr(metrics, kind)(top_k=3).update_state(np.eye(3)[CLASSES], SCORES)


@pytest.mark.parametrize("kind", ["IoU", "BinaryIoU", "MeanIoU"])
def test_an_update_of_an_overlap_returns_its_matrix(kind):
    given = {"IoU": (2, [0]), "BinaryIoU": (), "MeanIoU": (2,)}[kind]
    metric = getattr(metrics, kind)(*given)
    assert metric.update_state([0, 1, 1], [0, 1, 0]).tolist() == [[1, 0], [1, 1]]
    assert metric.update_state([0], [1]).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("kind", ["AUC", "Precision", "Recall", "FalseNegatives", "TruePositives"])
def test_labels_are_as_many_as_predictions(kind):
    labels = (SCORES > 0.3).astype("int32")
    metric, nested = getattr(metrics, kind)(), getattr(metrics, kind)()
    with pytest.raises(TypeError, match=r"as many labels.*y_true.shape=\(1, 3\), y_pred.shape=\(4, 3\)"):
        metric.update_state(labels[:1], SCORES)
    metric.update_state(labels, SCORES)
    nested.update_state(labels[None], SCORES)  # one dimension more, and as many
    assert float(nested.result()) == float(metric.result()) > 0 or kind == "FalseNegatives"
