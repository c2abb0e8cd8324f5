"""What depends on weights alone is computed once, outside of the runs, and again when one was written."""

import numpy as np
import pytest

from kcompile import ops
from kcompile.codegen import cpu
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.kernels import writes
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.passes import pipeline
from kcompile.schedule.plan import plan_graph
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable


def numbers(*shape):
    return np.linspace(-1, 2, int(np.prod(shape)), dtype="float32").reshape(shape)


def traced(function):
    return trace(function, [make_parameter("x", TensorType((symbol("batch"), 12)))])[0]


def kernels_of(function):
    """(kernels of each run, kernels that prepare it)."""
    plan = plan_graph(pipeline.run(traced(function)), cpu.target())
    once = [k for k in plan.kernels if set(writes(k)) <= plan.prepared]
    return len(plan.kernels) - len(once), len(once)


@pytest.fixture
def w():
    return Variable(numbers(12, 12))


@pytest.fixture
def gain():
    return Variable(numbers(12) + 2)


def normalized(x, gain):
    """Divided by what is computed from a variable, by a reduction that no consumer computes on the way."""
    return x / ops.sqrt(ops.sum(ops.square(gain)) + gain)


def adapted(x, w, a, b):
    return ops.matmul(x, w + ops.matmul(a, b))


def test_arithmetic_on_weights_is_no_kernel_of_the_run(gain):
    assert kernels_of(lambda x: normalized(x, gain)) == (1, 1)


def test_a_matrix_made_of_weights_is_prepared_and_then_packed(w):
    a, b = Variable(numbers(12, 2)), Variable(numbers(2, 12))
    assert kernels_of(lambda x: adapted(x, w, a, b))[0] == 1
    run = compile_graph(traced(lambda x: adapted(x, w, a, b)))
    for _ in range(2):
        want = numbers(5, 12) @ (w.numpy() + a.numpy() @ b.numpy())
        np.testing.assert_allclose(run(numbers(5, 12))[0], want, rtol=1e-5)
        a.assign(a.numpy() - 1)


def test_what_was_prepared_follows_its_weights(gain):
    run = compile_graph(traced(lambda x: normalized(x, gain)))
    x = numbers(3, 12)
    for shift in (0, 1, 5):
        gain.assign(numbers(12) + 2 + shift)
        want = x / np.sqrt(np.square(gain.numpy()).sum() + gain.numpy())
        np.testing.assert_allclose(run(x)[0], want, rtol=1e-5)


def test_weights_that_the_run_writes_are_not_prepared(gain):
    def step(x):
        y = normalized(x, gain)
        gain.assign(gain.value * 2)
        return y

    assert kernels_of(step)[1] == 0


def test_what_would_take_more_memory_than_its_weights_is_computed_in_the_run():
    small = Variable(np.arange(144).reshape(12, 12) % 7, dtype="int8")
    assert kernels_of(lambda x: ops.matmul(x, ops.cast(small.value, "float32")))[1] == 0


def test_outputs_are_written_in_every_run(gain):
    run = compile_graph(traced(lambda x: (x, ops.cumsum(gain.value))))
    first, second = run(numbers(2, 12))[1], run(numbers(2, 12))[1]
    assert first is not second
    np.testing.assert_allclose(first, np.cumsum(gain.numpy()), rtol=1e-5)


def test_a_loop_computes_what_depends_on_weights_by_itself(gain):
    def function(x):
        return ops.fori_loop(0, 3, lambda k, y: normalized(y, gain), x)

    x = numbers(4, 12)
    want = x / np.sqrt(np.square(gain.numpy()).sum() + gain.numpy()) ** 3
    np.testing.assert_allclose(compile_graph(traced(function))(x)[0], want, rtol=1e-5)


def test_what_depends_on_a_runs_extents_is_computed_in_the_run():
    table = Variable(numbers(12))

    def function(x):
        return x * ops.sqrt(ops.sum(ops.square(table)) + table * ops.cast(ops.shape(x)[0], "float32"))

    assert kernels_of(function)[1] == 0
    run = compile_graph(traced(function))
    for rows in (2, 5):
        want = numbers(rows, 12) * np.sqrt(np.square(table.numpy()).sum() + table.numpy() * rows)
        np.testing.assert_allclose(run(numbers(rows, 12))[0], want, rtol=1e-5)


def test_a_part_of_a_weight_as_long_as_the_input_is_packed_in_the_run():
    table = Variable(numbers(30, 12))

    def function(x):
        return ops.matmul(x, ops.transpose(table.value[: ops.shape(x)[0]]))

    run = compile_graph(traced(function))
    for rows in (2, 7):
        want = numbers(rows, 12) @ table.numpy()[:rows].T
        np.testing.assert_allclose(run(numbers(rows, 12))[0], want, rtol=1e-5)


def test_sums_that_are_added_into_memory_are_not_prepared():
    """A run beside would see them half done while a thread prepares anew."""
    table, rows = Variable(numbers(40, 12)), np.arange(40, dtype="int32")[:, None] % 3
    assert kernels_of(lambda x: x + ops.sum(ops.scatter(rows, table.value, (3, 12)), axis=0))[1] == 0
