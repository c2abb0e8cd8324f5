"""Variables that are read and assigned in one program: every order gives what assignment in Python gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable
from tests.helpers import assert_close
from tests.schedule.test_random_graphs import each

SHAPE = (5, 5)


def variables(count=3, shape=SHAPE, seed=0):
    rng = np.random.default_rng(seed)
    return [Variable(rng.normal(size=shape).astype("float32"), name=f"v{k}") for k in range(count)]


def outcomes(step, make=variables, inputs=()):
    """Outputs and variables after two runs, compiled and by the references; and the compiled program."""
    found = []
    for target in ("cpu", "reference"):
        state = make()
        parameters = [make_parameter(f"x{k}", TensorType(a.shape)) for k, a in enumerate(inputs)]
        graph, _ = trace(lambda *xs, state=state: step(*state, *xs), parameters)
        with config(target=target):
            program = compile_graph(graph)
        outputs = [program(*inputs) for _ in range(2)]
        found.append([*(a for run in outputs for a in run), *(v.numpy() for v in state)])
        if target == "cpu":
            compiled = program
    return found[0], found[1], compiled


def check(step, make=variables, inputs=()):
    got, want, program = outcomes(step, make, inputs)
    for a, b in zip(got, want, strict=True):
        assert_close(a, b, terms=64)
    return program


def copies(program):
    return sum(spec.fused == ("copy",) for spec in program.program.specs)


def test_a_swap():
    def step(a, b, c):
        old = a.value
        a.assign(b)
        b.assign(old)

    check(step)


@pytest.mark.parametrize("columns", [1, 7, 130, 300])
def test_sums_of_columns_overwrite_what_another_result_reads(columns):
    x = np.random.default_rng(1).normal(size=(40, columns)).astype("float32")

    def step(a, b, x):
        old, mean = a.value, ops.mean(x, axis=0)
        a.assign(mean)
        return [ops.tanh(old) * mean]

    program = check(step, lambda: variables(2, (columns,)), (x,))
    assert copies(program) == 0
    assert len(program.program.specs) == 1


def test_a_rotation_of_three():
    def step(a, b, c):
        x, y, z = a.value, b.value, c.value
        a.assign(y)
        b.assign(z)
        c.assign(x)

    check(step)


def test_an_update_from_the_own_element_is_in_place():
    def step(a, b, c):
        a.assign(a * 0.9 + b)

    program = check(step)
    assert copies(program) == 0
    assert len(program.program.specs) == 1
    assert program.program.plan.aliases


def test_a_transposed_read_is_not_in_place():
    def step(a, b, c):
        a.assign(ops.transpose(a.value) + a)

    program = check(step)
    assert copies(program) == 1


def test_a_sum_over_the_old_value():
    def step(a, b, c):
        a.assign(a - ops.mean(a.value, axis=0, keepdims=True))

    check(step)


def test_the_old_value_of_one_goes_to_another():
    def step(a, b, c):
        b.assign(b + a)
        a.assign(a * 2)
        c.assign(a - b)
        return ops.sum(b.value) + ops.sum(c.value)

    check(step)


def test_an_assigned_value_is_returned_as_well():
    def step(a, b, c):
        a.assign(a + 1)
        return a.value, a.value, b.value

    check(step)


def test_one_value_is_assigned_to_two():
    def step(a, b, c):
        new = a + b
        a.assign(new)
        b.assign(new)
        return new

    check(step)


def test_a_weight_is_used_by_a_contraction_and_updated():
    x = np.random.default_rng(1).normal(size=(9, 5)).astype("float32")

    def step(w, b, c, x):
        y = ops.tanh(ops.matmul(x, w.value))
        w.assign(w - ops.matmul(ops.transpose(x), y) * 0.1)
        return ops.matmul(y, ops.transpose(w.value)), y

    check(step, inputs=[x])


def test_a_product_is_assigned_to_its_own_operand():
    def step(a, b, c):
        a.assign(ops.matmul(a.value, b.value))
        b.assign(ops.matmul(b.value, a.value))

    check(step)


def test_a_counter_is_read_by_a_kernel_that_writes_elsewhere():
    def make():
        return [Variable(np.zeros((), "int32"), name="it"), *variables(1, (40,))]

    def step(it, v):
        it.assign(it + 1)
        v.assign(v * ops.cast(it.value, "float32") + 1.0)
        return it.value

    check(step, make)


def test_a_variable_of_one_column_is_read_along_rows():
    def make():
        return [*variables(1, (6, 1)), *variables(1, (6, 7), seed=1)]

    def step(column, table):
        table.assign(table * column)
        column.assign(column + 1.0)
        return ops.sum(table * column, axis=1)

    check(step, make)


def test_a_softmax_row_is_assigned_to_its_source():
    def step(a, b, c):
        a.assign(ops.softmax(a.value, axis=-1))
        b.assign(b + ops.softmax(a.value, axis=0))

    check(step)


def test_weights_that_change_outside_are_packed_anew():
    w = Variable(np.eye(5, dtype="float32"), name="w")
    x = make_parameter("x", TensorType((3, 5)))
    graph, _ = trace(lambda x: ops.matmul(x, w.value), [x])
    program = compile_graph(graph)
    array = np.arange(15, dtype="float32").reshape(3, 5)
    np.testing.assert_array_equal(program(array)[0], array)
    w.assign(2 * np.eye(5, dtype="float32"))
    np.testing.assert_array_equal(program(array)[0], 2 * array)


OPERATIONS = {
    "sum": lambda a, b: a + b,
    "mixed": lambda a, b: a * 0.5 - b * 0.25,
    "transposed": lambda a, b: ops.transpose(a) * 0.5 + b * 0.5,
    "centred": lambda a, b: a - ops.mean(b, axis=0, keepdims=True),
    "product": lambda a, b: ops.matmul(a, b) * 0.2,
    "first": lambda a, b: a,
    "row": lambda a, b: ops.softmax(a, axis=1) + b * 0.5,
}


@each()
@given(
    st.lists(
        st.tuples(*[st.integers(0, 2)] * 3, st.sampled_from(sorted(OPERATIONS)), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_any_order_of_assignments(lines):
    """target = operation(left, right), with left perhaps the value before all assignments."""

    def step(*state):
        before = [v.value for v in state]
        for target, left, right, name, early in lines:
            a = before[left] if early else state[left].value
            state[target].assign(OPERATIONS[name](a, state[right].value))
        return [v.value for v in state]

    check(step)


COLUMN_SUMS = {
    "mean": lambda a, x: ops.mean(x, axis=0),
    "moving": lambda a, x: a * 0.9 + ops.mean(ops.square(x), axis=0) * 0.1,
    "weighted": lambda a, x: ops.sum(ops.tanh(x * a), axis=0),
    "first": lambda a, x: a,
}


@each(12)
@given(
    st.lists(
        st.tuples(*[st.integers(0, 2)] * 2, st.sampled_from(sorted(COLUMN_SUMS)), st.booleans()),
        min_size=1,
        max_size=4,
    )
)
def test_any_order_of_assignments_from_sums_of_columns(lines):
    """target = operation(left, x); the results read all variables as they were."""
    x = np.random.default_rng(2).normal(size=(40, 130)).astype("float32")

    def step(*values):
        *state, x = values
        before = [v.value for v in state]
        for target, left, name, early in lines:
            a = before[left] if early else state[left].value
            state[target].assign(COLUMN_SUMS[name](a, x))
        return [ops.tanh(old) * v.value for old, v in zip(before, state, strict=True)]

    check(step, lambda: variables(shape=(130,)), (x,))


@pytest.mark.parametrize("noopt", [False, True])
def test_repeat_is_many_runs(noopt):
    def step(a, b, c):
        a.assign(a * 0.5 + b)
        b.assign(b * 0.5 - a)

    with config(noopt=noopt):
        one, many = variables(), variables()
        programs = [compile_graph(trace(lambda v=v: step(*v), [])[0]) for v in (one, many)]
    for _ in range(7):
        programs[0]()
    assert programs[1].repeat([], {}, 7) == 7
    for a, b in zip(one, many, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
