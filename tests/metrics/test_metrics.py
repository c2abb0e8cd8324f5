"""Metrics beyond their numbers: names, configs, state, errors."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import losses, metrics
from kcompile.trace.masks import set_mask
from tests.parity import training_cases as cases


@pytest.mark.parametrize("name, metric, kind", [pytest.param(*c, id=c[0]) for c in cases.metrics(keras)])
def test_config_round_trip(name, metric, kind):
    config = metrics.serialize(metric)
    assert config["module"] == "keras.metrics" and config["class_name"] == type(metric).__name__
    again = metrics.get(config)
    assert type(again) is type(metric) and again.get_config() == metric.get_config()
    labels, predictions, _ = cases.loss_data(kind)
    metric.reset_state()
    np.testing.assert_array_equal(again(labels, predictions), metric(labels, predictions))


@pytest.mark.parametrize(
    "metric, config",
    [
        (metrics.Mean(), {"name": "mean", "dtype": "float32"}),
        (
            metrics.SparseTopKCategoricalAccuracy(k=3),
            {"name": "sparse_top_k_categorical_accuracy", "dtype": "float32", "k": 3},
        ),
        (
            metrics.BinaryAccuracy(threshold=0.3),
            {"name": "binary_accuracy", "dtype": "float32", "threshold": 0.3},
        ),
        (metrics.CosineSimilarity(), {"name": "cosine_similarity", "dtype": "float32"}),
    ],
)
def test_configs_are_keras_configs(metric, config):
    assert metric.get_config() == config


def test_get():
    assert type(metrics.get("mse")) is type(metrics.get("MeanSquaredError")) is metrics.MeanSquaredError
    assert type(metrics.get("sparse_categorical_accuracy")) is metrics.SparseCategoricalAccuracy
    assert metrics.get(metrics.Mean).name == "mean" and metrics.get(None) is None
    assert metrics.get(metrics.binary_accuracy) is metrics.binary_accuracy
    with pytest.raises(ValueError, match=r"(?s)Could not interpret metric identifier: acuracy.*'accuracy'"):
        metrics.get("acuracy")


def test_mean_and_sum():
    mean, total = metrics.Mean(), metrics.Sum()
    assert float(mean.result()) == 0.0
    for metric in (mean, total):
        metric.update_state([1, 3])
        metric.update_state(5)
        metric.update_state([[1.0, 3.0], [5.0, 7.0]], sample_weight=[1, 0])
    assert float(mean.result()) == pytest.approx((1 + 3 + 5 + 2) / 4)
    assert float(total.result()) == pytest.approx(1 + 3 + 5 + 4)
    assert [v.path for v in mean.variables] == ["mean/total", "mean/count"]
    mean.reset_state()
    assert float(mean.result()) == 0.0


def test_weights_per_step():
    metric = metrics.MeanSquaredError()
    metric.update_state(
        np.zeros((2, 3, 1)), np.ones((2, 3, 1)), sample_weight=np.array([[1, 0, 0], [1, 1, 1]])
    )
    assert float(metric.result()) == pytest.approx(1.0)


def test_masks_are_weights():
    predictions = set_mask(np.array([[1.0], [2.0], [9.0]], "float32"), np.array([True, True, False]))
    metric = metrics.MeanAbsoluteError()
    metric.update_state(np.zeros((3, 1)), predictions)
    assert float(metric.result()) == pytest.approx(1.5)


def test_top_k_counts_ties_and_nan():
    predictions = np.array([[0.2, 0.2, 0.1], [np.nan, 0.5, 0.4]], "float32")
    found = metrics.sparse_top_k_categorical_accuracy(np.array([1, 0]), predictions, k=1)
    assert found.tolist() == [1.0, 0.0]
    ids = np.array([[2, 0], [1, 2]])
    assert metrics.sparse_top_k_categorical_accuracy(
        np.array([0, 0]), ids, 2, from_sorted_ids=True
    ).tolist() == [1, 0]


def test_a_users_metric_is_traced_into_the_step():
    class Share(metrics.Metric):
        """Share of positive predictions."""

        def __init__(self, name="share"):
            super().__init__(name=name)
            self.positive = self.add_weight(name="positive")
            self.mean = metrics.Mean()

        def update_state(self, y_true, y_pred, sample_weight=None):
            hits = keras.ops.cast(y_pred > 0, "float32")
            self.positive.assign_add(keras.ops.sum(hits))
            self.mean.update_state(hits)

        def result(self):
            return {"share": self.mean.result(), "positive": self.positive.value}

    metric = Share()
    assert [v.name for v in metric.variables] == ["positive", "total", "count"]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=[metric], run_eagerly=True)
    x = np.array([[1.0], [-1.0], [2.0], [3.0]], "float32")
    logs = model.evaluate(x, x, batch_size=3, verbose=0, return_dict=True)
    assert logs == {"loss": 0.0, "positive": 3.0, "share": 0.75}


def test_metrics_that_say_nothing():
    with pytest.raises(NotImplementedError, match=r"must define update_state\(\)"):
        metrics.Metric().update_state()
    with pytest.raises(NotImplementedError, match=r"must define result\(\)"):
        metrics.Metric().result()


def test_directions():
    assert metrics.CategoricalAccuracy()._direction == "up"
    assert metrics.MeanSquaredError()._direction == metrics.Poisson()._direction == "down"
    assert metrics.MeanMetricWrapper(losses.huber)._direction == "down"
    assert metrics.MeanMetricWrapper(lambda a, b: a)._direction is None


@pytest.mark.parametrize(("k", "precision", "recall"), [(1, 0.5, 0.5), (2, 0.25, 0.5), (3, 1 / 3, 1.0)])
def test_of_equal_predictions_the_first_are_the_top(k, precision, recall):
    """Exactly k of them, as in Keras."""
    y_true, y_pred = np.array([[1.0, 0, 0], [0, 0, 1]]), np.full((2, 3), 1 / 3)
    for metric, want in ((metrics.Precision(top_k=k), precision), (metrics.Recall(top_k=k), recall)):
        metric.update_state(y_true, y_pred)
        assert abs(float(metric.result()) - want) < 1e-6
