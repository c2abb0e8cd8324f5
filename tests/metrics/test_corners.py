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


HOT = np.eye(3, dtype="float32")[CLASSES]


@pytest.mark.parametrize("kind", ["TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives"])
def test_a_weight_of_nan_counts_only_where_its_sample_does(kind):
    truth, scores = np.array([1, 1, 0, 0], "float32"), np.array([0.9, 0.1, 0.8, 0.2], "float32")
    for sample in range(4):
        weights = np.array([1.0, 2.0, 3.0, 4.0], "float32")
        own = kind == ("TruePositives", "FalseNegatives", "FalsePositives", "TrueNegatives")[sample]
        expected = np.nan if own else metrics.get(kind)(truth, scores, weights)
        weights[sample] = np.nan
        np.testing.assert_equal(float(metrics.get(kind)(truth, scores, weights)), float(expected))


OF_THRESHOLDS = [
    *[(metrics.AUC, {"from_logits": logits}) for logits in (False, True)],
    (metrics.AUC, {"thresholds": [0.30005, 0.7]}),
    (metrics.PrecisionAtRecall, {"recall": 0.5}),
    (metrics.SensitivityAtSpecificity, {"specificity": 0.5, "class_id": 1}),
]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32"])
@pytest.mark.parametrize("kind, settings", OF_THRESHOLDS)
def test_counts_at_thresholds_do_not_depend_on_the_dtype_of_the_metric(kind, settings, dtype):
    """Half precision would move 0.7036 to 0.7031, below the threshold 140 / 199."""
    scores = np.where(HOT == 1, SCORES, np.float32(0.7036))
    found = []
    for own in (dtype, "float32"):
        metric = kind(dtype=own, **settings)
        metric.update_state(HOT, scores)
        found.append([variable.numpy() for variable in metric.variables])
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("make", [metrics.F1Score, metrics.R2Score, lambda: metrics.AUC(multi_label=True)])
def test_no_result_before_the_first_batch(make):
    with pytest.raises(AttributeError, match=r"update_state"):
        make().result()


WRONG_SIZES = [
    (metrics.F1Score, {}, {"sample_weight": np.ones(2)}),
    (metrics.AUC, {"multi_label": True, "num_labels": 2}, {}),
    (metrics.AUC, {"multi_label": True, "label_weights": [1.0, 2.0]}, {}),
]


@pytest.mark.parametrize("kind, settings, call", WRONG_SIZES)
def test_sizes_that_do_not_fit_are_type_errors_and_value_errors(kind, settings, call):
    for error in (TypeError, ValueError):
        with pytest.raises(error):
            kind(**settings).update_state(HOT, SCORES, **call)


@pytest.mark.parametrize("kind", [metrics.F1Score, metrics.R2Score])
def test_numbers_of_labels_that_differ(kind):
    for error in (TypeError, ValueError):
        with pytest.raises(error, match="y_true"):
            kind().update_state(HOT[:3], SCORES)


def test_a_class_that_there_is_not():
    for error in (IndexError, ValueError):
        with pytest.raises(error, match="class_id=3"):
            metrics.Precision(class_id=3).update_state(HOT, SCORES)
    metrics.Precision(class_id=-3).update_state(HOT, SCORES)


def test_f_scores_of_half_precision_are_computed_in_it():
    """The values of Keras: float32 in between would end in 0.7891."""
    metric = metrics.F1Score(dtype="bfloat16", average=None)
    truth, scores = np.array([[1], [1], [1], [0]]), np.array([[0.9], [0.8], [0.0], [0.7]])
    metric.update_state(truth, scores, [2.5, 4.0, 3.0, 0.5])
    assert str(metric.result().dtype) == "bfloat16"
    assert metric.result().tolist() == [0.79296875]
