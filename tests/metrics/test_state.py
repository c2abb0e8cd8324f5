"""What a metric holds: variables and metrics as attributes, in lists and in dicts, by Keras's names."""

from __future__ import annotations

import copy
import pickle

import numpy as np

import kcompile as keras
from kcompile import metrics


class Several(metrics.Metric):
    def __init__(self, name="several"):
        super().__init__(name=name)
        self.counts = [self.add_variable(name="batches")]
        self.own = {"sum": keras.Variable(0.0, name="sum")}
        self.means = [metrics.Mean(name="first")]
        self.by_name = {"second": metrics.Mean(name="second")}

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.counts[0].assign_add(1)
        self.own["sum"].assign_add(keras.ops.sum(y_pred))
        self.means[0].update_state(y_pred)
        self.by_name["second"].update_state(y_true)

    def result(self):
        return self.means[0].result() + self.counts[0] + self.by_name["second"].result()


def test_what_lists_and_dicts_hold_is_state():
    metric = Several()
    assert [v.name for v in metric.variables] == ["batches", "sum", "total", "count", "total", "count"]
    metric.update_state([1.0], [2.0])
    assert [float(v) for v in metric.variables] == [1, 2, 2, 1, 1, 1]
    metric.reset_state()
    assert not any(float(v) for v in metric.variables)
    metric.means.append(metrics.Mean())
    assert len(metric.variables) == 8


def test_epochs_do_not_leak_into_each_other():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[Several()])
    history = model.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=2, epochs=3, verbose=0).history
    assert history["several"] == [4.0, 4.0, 4.0]


def test_copies_have_state_of_their_own():
    metric = Several()
    for other in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        assert len(other.variables) == 6
        other.update_state([1.0], [2.0])
        assert not any(float(v) for v in metric.variables)


def test_counts_have_the_names_of_keras():
    precision, recall = metrics.Precision(), metrics.Recall()
    precision.update_state([1, 0], [1.0, 1.0])
    recall.update_state([1, 1], [1.0, 0.0])
    assert precision.false_positives.numpy().tolist() == recall.false_negatives.numpy().tolist() == [1.0]
    score = metrics.F1Score()
    score.update_state(np.eye(2), np.eye(2))
    for name, wanted in (("true_positives", 1), ("false_negatives", 0), ("intermediate_weights", 1)):
        assert getattr(score, name).numpy().tolist() == [wanted, wanted]


def test_arrays_as_initializers():
    metric = metrics.Mean()
    for given in (np.array([1.0, 2.0]), keras.ops.convert_to_tensor([1.0, 2.0])):
        assert metric.add_weight(shape=(2,), initializer=given).numpy().tolist() == [1.0, 2.0]
