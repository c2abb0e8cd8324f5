"""Optimizers and schedules give Keras's numbers: variables and slots after five steps, in Keras's order."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace import naming
from kcompile.trace.tracer import trace
from tests.parity import fixtures
from tests.parity import training_cases as cases

CASES = [pytest.param(*case, id=case[0]) for case in cases.optimizers(keras)]


def check(name, variables, optimizer):
    optimizer.finalize_variable_values(variables)
    assert [v.name for v in optimizer.variables] == fixtures.training()[f"optimizer/{name}/names"].tolist()
    for k, variable in enumerate([*variables, *optimizer.variables]):
        expected = fixtures.training()[f"optimizer/{name}/{k}"]
        np.testing.assert_allclose(variable.numpy(), expected, rtol=5e-5, atol=1e-6, err_msg=f"variable {k}")


@pytest.mark.parametrize("name, optimizer", CASES)
def test_five_steps_at_once(name, optimizer):
    naming.reset()  # one slot of Nadam has an automatic name
    variables = cases.variables(keras)
    optimizer.build(variables)
    for gradients in cases.gradients():
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
    check(name, variables, optimizer)


def program_of(variables, optimizer):
    """One update as a program of the gradients."""
    optimizer.build(variables)
    inputs = [make_parameter(f"g{k}", TensorType(shape, "float32")) for k, shape in enumerate(cases.SHAPES)]

    def step(*gradients):
        optimizer.apply(list(gradients), variables)
        return ()

    return compile_graph(trace(step, inputs)[0])


@pytest.mark.parametrize("target", ["reference", pytest.param("cpu", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name, optimizer", [pytest.param(*case, id=case[0]) for case in cases.optimizers(keras)]
)
def test_five_steps_traced(name, optimizer, target):
    naming.reset()
    variables = cases.variables(keras)
    optimizer = type(optimizer).from_config(optimizer.get_config())  # each target has its own slots
    with config(target=target):
        program = program_of(variables, optimizer)
    for gradients in cases.gradients():
        program(*gradients)
    check(name, variables, optimizer)


@pytest.mark.parametrize(
    "name, schedule", [pytest.param(*case, id=case[0]) for case in cases.schedules(keras)]
)
def test_schedules(name, schedule):
    found = [float(schedule(np.int32(step))) for step in cases.SCHEDULE_STEPS]
    np.testing.assert_allclose(found, fixtures.training()[f"schedule/{name}"], rtol=1e-5, atol=1e-9)
