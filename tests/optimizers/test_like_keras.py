"""Every optimizer in many settings, five steps on variables of several shapes, beside Keras."""

from __future__ import annotations

import json

import numpy as np
import pytest

import kcompile as keras
from kcompile import optimizers
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace import naming
from kcompile.trace.tracer import trace
from tests.parity import fixtures
from tests.parity.block_cases import optimizers as cases

TEXTS = fixtures.block_texts("optimizers")
CASES = [pytest.param(name, make, id=name) for name, make in cases.makers()]
# Powers and roots of other libraries; Newton-Schulz amplifies differences of rounding.
TIGHT = {"rtol": 5e-5, "atol": 2e-6}


def made(make):
    naming.reset()
    optimizer, variables = make(keras), cases.variables(keras)
    optimizer.build(variables)
    return optimizer, variables


def check(name, variables, optimizer):
    numbers, number = fixtures.block_arrays("optimizers"), TEXTS[name]["number"]
    found = np.concatenate([np.ravel(v.numpy()) for v in (*variables, *optimizer.variables)])
    np.testing.assert_allclose(found, numbers[f"{number}"], **TIGHT)
    optimizer.finalize_variable_values(variables)
    final = np.concatenate([np.ravel(v.numpy()) for v in variables])
    np.testing.assert_allclose(final, numbers[f"{number} final"], **TIGHT)


@pytest.mark.parametrize("name, make", CASES)
def test_variables_and_config(name, make):
    optimizer, _ = made(make)
    described = [[v.path, list(v.shape), v.dtype] for v in optimizer.variables]
    assert described == TEXTS[name]["variables"]
    config = json.loads(json.dumps(optimizers.serialize(optimizer)))
    assert config == TEXTS[name]["config"]
    again = optimizers.deserialize(config)
    assert type(again) is type(optimizer)
    assert json.loads(json.dumps(optimizers.serialize(again))) == config


@pytest.mark.parametrize("name, make", CASES)
def test_steps_at_once(name, make):
    optimizer, variables = made(make)
    for gradients in cases.gradients_of(name):
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
    check(name, variables, optimizer)


@pytest.mark.parametrize("name, make", CASES)
def test_stateless_steps(name, make):
    optimizer, variables = made(make)
    begun = [v.numpy() for v in (*variables, *optimizer.variables)]
    values, slots = begun[: len(variables)], begun[len(variables) :]
    for gradients in cases.gradients_of(name):
        values, slots = optimizer.stateless_apply(slots, gradients, values)
    for variable, start in zip((*variables, *optimizer.variables), begun, strict=True):
        assert np.array_equal(variable.numpy(), start), f"{variable.path} was changed"
    for variable, value in zip((*variables, *optimizer.variables), (*values, *slots), strict=True):
        variable.assign(value)
    check(name, variables, optimizer)


@pytest.mark.parametrize("target", ["reference", pytest.param("cpu", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name, make", CASES)
def test_compiled_steps(name, make, target):
    optimizer, variables = made(make)
    shapes = cases.SHAPES.values()
    inputs = [make_parameter(f"g{k}", TensorType(shape, "float32")) for k, shape in enumerate(shapes)]

    def step(*gradients):
        optimizer.apply(list(gradients), variables)
        return ()

    with config(target=target):
        program = compile_graph(trace(step, inputs)[0])
    for gradients in cases.gradients_of(name):
        program(*gradients)
    check(name, variables, optimizer)
