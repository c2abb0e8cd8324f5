"""What metrics refuse, and what they warn of."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import metrics


@pytest.mark.parametrize(
    "kind, settings, message",
    [
        ("SensitivityAtSpecificity", {"specificity": 1.5}, r"`specificity` must be in the range \[0, 1\]"),
        ("SpecificityAtSensitivity", {"sensitivity": -1}, r"`sensitivity` must be in the range \[0, 1\]"),
        ("PrecisionAtRecall", {"recall": 2}, r"`recall` must be in the range \[0, 1\]"),
        ("RecallAtPrecision", {"precision": 2}, r"`precision` must be in the range \[0, 1\]"),
        (
            "PrecisionAtRecall",
            {"recall": 0.5, "num_thresholds": 0},
            "`num_thresholds` must be an integer > 0",
        ),
        (
            "IoU",
            {"num_classes": 2, "target_class_ids": [0, 2]},
            r"Target class id 2 is out of range.*\[0, 2\)",
        ),
        ("R2Score", {"class_aggregation": "sum"}, "Invalid value for argument `class_aggregation`"),
        ("R2Score", {"num_regressors": -1}, "Invalid value for argument `num_regressors`"),
        ("AUC", {"curve": "RoC"}, 'Invalid AUC curve value: "RoC"'),
        ("AUC", {"summation_method": "middle"}, 'Invalid AUC summation method value: "middle"'),
        ("AUC", {"num_labels": 2}, "`num_labels` is needed only when"),
        ("AUC", {"num_thresholds": 1}, "`num_thresholds` must be an integer > 1"),
        ("Precision", {"thresholds": [0.5, 1.5]}, r"Threshold values must be in \[0, 1\]"),
        ("FBetaScore", {"beta": 0.0}, "Invalid `beta` argument value"),
        ("F1Score", {"threshold": 2.0}, "Invalid `threshold` argument value"),
    ],
)
def test_settings(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        getattr(metrics, kind)(**settings)


def test_shapes():
    flat = np.zeros(3, "float32")
    with pytest.raises(ValueError, match="R2Score expects 2D inputs"):
        metrics.R2Score().update_state(flat, flat)
    with pytest.raises(ValueError, match="must have rank 2 when `multi_label=True`"):
        metrics.AUC(multi_label=True).update_state(flat, flat)
    with pytest.raises(ValueError, match="When class_id is provided, y_pred must be a 2D array"):
        metrics.PrecisionAtRecall(0.5, class_id=1).update_state(flat, flat)
    with pytest.raises(ValueError, match="FBetaScore expects 2D inputs"):
        metrics.FBetaScore().update_state(flat, flat)


def test_warnings():
    ints = np.array([0, 1, 1])
    with pytest.warns(UserWarning, match="passing weight as `float`, but dtype is `int`"):
        metrics.MeanIoU(2).update_state(ints, ints, sample_weight=np.ones(3, "float32"))
    score = metrics.R2Score(num_regressors=5)
    score.update_state(np.eye(2, 1, dtype="float32"), np.eye(2, 1, dtype="float32"))
    with pytest.warns(UserWarning, match="More independent predictors than datapoints"):
        assert float(score.result()) == 1.0
    score = metrics.R2Score(num_regressors=1)
    score.update_state(np.eye(2, 1, dtype="float32"), np.eye(2, 1, dtype="float32"))
    with pytest.warns(UserWarning, match="Division by zero"):
        assert float(score.result()) == 1.0


def test_stateless_calls_refuse_other_numbers_of_values():
    metric = metrics.Mean()
    for call in (metric.stateless_result, lambda values: metric.stateless_update_state(values, [1.0])):
        with pytest.raises(
            ValueError, match=r"corresponding 1:1 to Mean\(\).variables.*expected 2 variables"
        ):
            call([0.0])


@pytest.mark.parametrize("make", [metrics.Sum, metrics.Mean, metrics.TruePositives])
def test_results_stay_as_they_are(make):
    """A result is not changed by later updates."""
    metric, ones = make(), np.ones(3, "float32")
    args = (ones, ones) if make is metrics.TruePositives else (ones,)
    metric.update_state(*args)
    first = metric.result()
    value = float(first)
    metric.update_state(*args)
    metric.reset_state()
    assert float(first) == value


def test_predictions_outside_of_the_range_lie_in_the_outer_buckets():
    """Between even thresholds Keras sorts predictions into buckets: above 1 counts as 1, NaN as 0."""
    metric = metrics.SensitivityAtSpecificity(0.4)
    metric.update_state([0, 1, 1, 0], [1.5, 1.2, np.nan, -1.0])
    found = np.asarray(metric.true_positives), np.asarray(metric.false_positives)
    assert [found[0][k] for k in (0, 1, 198, 199)] == [1, 1, 1, 0]
    assert [found[1][k] for k in (0, 198, 199)] == [1, 1, 0]
    area = metrics.AUC()
    area.update_state([0, 1, 1], [np.nan] * 3)
    assert float(area.result()) == 0.5
    assert np.asarray(area.true_positives)[:2].tolist() == [2, 0]
