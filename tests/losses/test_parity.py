"""Losses and their gradients are those of Keras."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile.autograd.backward import gradients
from kcompile.ir.evaluate import evaluate
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from tests.parity import fixtures
from tests.parity import training_cases as cases

CASES = [pytest.param(*case, id=case[0]) for case in cases.losses(keras)]
TIGHT = {"rtol": 2e-5, "atol": 2e-6}  # float32 sums in another order, and logarithms of another library


@pytest.mark.parametrize("name, loss, kind", CASES)
def test_values(name, loss, kind):
    y_true, y_pred, weight = cases.loss_data(kind)
    for reduction in cases.REDUCTIONS:
        loss.reduction = reduction
        expected = fixtures.training()[f"loss/{name}/{reduction}"]
        found = loss(y_true, y_pred)
        np.testing.assert_allclose(found, expected, **TIGHT)
        assert found.dtype == np.float32 and found.shape == expected.shape
        weighted = fixtures.training().get(f"loss/{name}/{reduction}/weighted")
        if weighted is not None:
            np.testing.assert_allclose(loss(y_true, y_pred, weight), weighted, **TIGHT)


@pytest.mark.parametrize("name, loss, kind", CASES)
def test_gradients(name, loss, kind):
    y_true, y_pred, _ = cases.loss_data(kind)
    leaf = make_parameter("y_pred", TensorType(y_pred.shape, "float32"))
    loss.reduction = "sum_over_batch_size"
    (slope,) = gradients(loss(y_true, leaf), [leaf])
    (found,) = evaluate([slope], {leaf: y_pred}, {})
    np.testing.assert_allclose(found, fixtures.training()[f"loss/{name}/gradient"], rtol=1e-4, atol=2e-6)
