"""Every metric in many settings over weighted batches, beside Keras: results, state, names, configs."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import kcompile as keras
from kcompile import metrics
from kcompile.compiler import compile_graph
from kcompile.core import dtypes
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace import naming
from kcompile.trace.tracer import trace
from tests.parity import fixtures
from tests.parity.block_cases import metrics as cases

TEXTS = fixtures.block_texts("metrics")
CASES = [pytest.param(case, id=case.name) for case in cases.cases()]
# Keras's config of this one forgets the axis, and it writes weights of labels as a tensor of its backend.
LOST = ("CosineSimilarity axis",)
WEIGHTED = ("AUC weighted labels", "AUC weighted labels PR", "AUC label weights")
KEPT = {"CosineSimilarity axis": ["axis"], **{name: ["label_weights"] for name in WEIGHTED}}
pytestmark = pytest.mark.filterwarnings("ignore:More independent predictors", "ignore:You are passing weight")


def made(case):
    naming.reset()
    return case.make(keras)


def check(case, results, state):
    numbers, number = fixtures.block_arrays("metrics"), TEXTS[case.name]["number"]
    tight = {"rtol": 2e-5, "atol": 1e-6}  # sums in another order, logarithms of another library
    if TEXTS[case.name]["dtypes"][0] == "float16":
        tight = {"rtol": 2e-3, "atol": 1e-3}
    expected = numbers[f"{number}"]
    np.testing.assert_allclose(np.stack([np.asarray(r) for r in results]), expected, **tight)
    np.testing.assert_allclose(np.concatenate(state), numbers[f"{number} state"], **tight)


def flat(variables):
    return [np.ravel(np.asarray(v, "float64")) for v in variables]


@pytest.mark.parametrize("case", CASES)
def test_at_once(case):
    metric, results = made(case), []
    for inputs, weight in case.batches():
        settings = {} if weight is None else {"sample_weight": weight}
        metric.update_state(*inputs, **settings)
        results.append(metric.result())
    check(case, results, flat(metric.variables))
    text = TEXTS[case.name]
    assert [[v.path, list(v.shape), v.dtype] for v in metric.variables] == text["variables"]
    assert [metric.dtype, dtypes.standardize(results[-1].dtype)] == text["dtypes"]
    assert metric._direction == text["direction"]
    assert not any(v.trainable for v in metric.variables)
    metric.reset_state()
    assert all((v.numpy() == 0).all() for v in metric.variables)


def plain(metric):
    return json.loads(json.dumps(metrics.serialize(metric)))


@pytest.mark.parametrize("case", CASES)
def test_config(case):
    metric, theirs = made(case), TEXTS[case.name]["config"]
    config = plain(metric)
    for given in (config, theirs):
        again = metrics.deserialize(given)
        assert type(again) is type(metric)
        if case.name not in LOST:
            assert plain(again) == config
    same = {k: v for k, v in config["config"].items() if k not in KEPT.get(case.name, ())}
    assert {**config, "config": same} == {**theirs, "config": {k: theirs["config"][k] for k in same}}
    assert set(theirs["config"]) - set(same) == set(KEPT.get(case.name, ())) & set(theirs["config"])


@pytest.mark.parametrize("case", CASES)
def test_stateless(case):
    metric, results = made(case), []
    first, _ = next(case.batches())
    metric.update_state(*first)  # makes variables that wait for the data
    metric.reset_state()
    values = metric.stateless_reset_state()
    for inputs, weight in case.batches():
        settings = {} if weight is None else {"sample_weight": weight}
        values = metric.stateless_update_state(values, *inputs, **settings)
        results.append(metric.stateless_result(values))
    check(case, results, flat(values))
    assert all((v.numpy() == 0).all() for v in metric.variables)


def program_of(metric, inputs, weight):
    """Update and result of a batch of any size as a program."""
    given = [*inputs, *([] if weight is None else [weight])]
    leaves = []
    for k, array in enumerate(map(np.asarray, given)):
        shape = (symbol("batch"), *array.shape[1:]) if array.ndim else ()
        leaves.append(make_parameter(f"x{k}", TensorType(shape, dtypes.standardize(array.dtype))))

    def step(*leaves):
        settings = {} if weight is None else {"sample_weight": leaves[-1]}
        metric.update_state(*leaves[: len(inputs)], **settings)
        return metric.result()

    return compile_graph(trace(step, leaves)[0])


@pytest.mark.parametrize("target", ["reference", pytest.param("cpu", marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", CASES)
def test_compiled(case, target):
    metric, results, programs = made(case), [], {}
    first, _ = next(case.batches())
    metric.update_state(*first)
    metric.reset_state()
    with config(target=target), warnings.catch_warnings():
        for (inputs, weight), form in zip(case.batches(), case.weights, strict=False):
            if form not in programs:
                programs[form] = program_of(metric, inputs, weight)
            given = [*inputs, *([] if weight is None else [weight])]
            (result,) = programs[form](*map(np.asarray, given))
            results.append(result)
    check(case, results, flat(metric.variables))
