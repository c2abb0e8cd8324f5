"""Every loss beside Keras: each reduction, form of weights and mask; gradients; configs; compiled."""

from __future__ import annotations

import json

import numpy as np
import pytest

import kcompile as keras
from kcompile import losses
from kcompile.autograd.backward import gradients
from kcompile.compiler import compile_graph
from kcompile.core import dtypes
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace import naming
from kcompile.trace.masks import set_mask
from kcompile.trace.tracer import trace
from tests.parity import fixtures
from tests.parity.block_cases import losses as cases

TEXTS = fixtures.block_texts("losses")
CASES = [pytest.param(case, id=case.name) for case in cases.cases()]
TIGHT = {"rtol": 2e-5, "atol": 2e-6}  # sums in another order, logarithms of another library


def expected(case, what=""):
    return fixtures.block_arrays("losses")[f"{TEXTS[case.name]['number']}{what}"]


def with_mask(y_pred, mask):
    return set_mask(np.array(y_pred), mask)


@pytest.mark.parametrize("case", CASES)
def test_values(case):
    found = dict(case.answers(keras, with_mask))
    assert {what: list(value.shape) for what, value in found.items()} == TEXTS[case.name]["shapes"]
    assert {str(value.dtype) for value in found.values()} == {"float32"}
    joined, place = expected(case), 0
    for what, value in found.items():
        theirs = joined[place : place + value.size].reshape(value.shape)
        np.testing.assert_allclose(value, theirs, **TIGHT, err_msg=what)
        place += value.size
    assert place == joined.size


@pytest.mark.parametrize("case", CASES)
def test_config(case):
    naming.reset()
    plain = json.loads(json.dumps(losses.serialize(case.make(keras))))
    theirs = TEXTS[case.name]["config"]
    lost = {"Huber": ["delta"], "CosineSimilarity axis": ["axis"]}.get(case.name, [])  # Keras forgets them
    kept = {k: v for k, v in plain["config"].items() if k not in lost}
    assert {**plain, "config": kept} == theirs
    again = losses.deserialize(plain)
    assert json.loads(json.dumps(losses.serialize(again))) == plain
    assert type(losses.deserialize(theirs)) is type(again)


@pytest.mark.parametrize("case", CASES)
def test_dtype(case):
    y_true, y_pred = case.arrays()
    loss = case.make(keras, dtype="float16")
    assert loss.dtype == "float16"
    assert dtypes.standardize(loss(y_true, y_pred).dtype) == TEXTS[case.name]["half"]


@pytest.mark.parametrize("target", ["reference", pytest.param("cpu", marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", CASES)
def test_compiled_with_gradient(case, target):
    """The loss without and with weights, and the slope, for a batch of any size."""
    y_true, y_pred = map(np.asarray, case.arrays())
    shape = tuple(TEXTS[case.name]["shapes"]["None"])
    weights = dict(case.weights(shape))
    weight = weights.get("full", np.float32(1.0))
    leaves = [
        make_parameter(f"x{k}", TensorType((symbol("batch"), *a.shape[1:]) if a.ndim else (), str(a.dtype)))
        for k, a in enumerate((y_true, y_pred, weight))
    ]

    def step(y_true, y_pred, weight):
        loss = case.make(keras)
        value = loss(y_true, y_pred)
        (slope,) = gradients(value, [y_pred])
        weighted = loss(y_true, y_pred, sample_weight=weight) if shape else value
        return value, weighted, slope

    with config(target=target):
        program = compile_graph(trace(step, leaves)[0])
    value, weighted, slope = program(y_true, y_pred, weight)
    answers = dict(case.answers(keras, with_mask))
    np.testing.assert_allclose(value, answers["sum_over_batch_size"], **TIGHT)
    np.testing.assert_allclose(weighted, answers["sum_over_batch_size" + (" full" if shape else "")], **TIGHT)
    np.testing.assert_allclose(slope, expected(case, " gradient"), rtol=1e-4, atol=2e-6)
