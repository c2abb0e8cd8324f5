"""Metrics are those of Keras, over several updates, with and without weights."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from tests.parity import fixtures
from tests.parity import training_cases as cases

CASES = [pytest.param(*case, id=case[0]) for case in cases.metrics(keras)]


@pytest.mark.parametrize("name, metric, kind", CASES)
def test_results(name, metric, kind):
    y_true, y_pred, weight = cases.loss_data(kind)
    values = []
    for part in (slice(0, 4), slice(4, 7)):
        metric.update_state(y_true[part], y_pred[part])
        values.append(np.array(metric.result()))
    metric.update_state(y_true, y_pred, sample_weight=weight)
    values.append(np.array(metric.result()))
    np.testing.assert_allclose(values, fixtures.training()[f"metric/{name}"], rtol=2e-5, atol=1e-6)
    metric.reset_state()
    assert all((v.numpy() == 0).all() for v in metric.variables)
