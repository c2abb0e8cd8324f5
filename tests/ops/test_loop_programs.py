"""What becomes of loops in programs: blocks of rows, what leaves a loop, and what is kept for gradients."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.graph import Graph, topological
from kcompile.passes import pipeline
from tests.ops.loops import lstm, lstm_arrays, normal, run
from tests.programs import differences, gradients_of, make_case

BATCH, STEPS = symbol("batch"), symbol("steps")


@pytest.mark.parametrize("batch", [1, 5, 16, 17, 35])
@pytest.mark.parametrize("steps", [1, 4])
def test_one_program_for_every_batch_and_length(batch, steps):
    """Blocks of rows, the last one smaller, run side by side; the step count is a number of the run too."""
    case = make_case("lstm", lstm, lstm_arrays(2, 3), [(BATCH, STEPS, 3), (3, 20), (5, 20), (20,)])
    gradient = gradients_of(case)
    arrays = lstm_arrays(batch, steps)
    for one in (case, gradient):
        assert differences(one, run(one, arrays), arrays) == []


def test_rows_are_blocks():
    case = make_case("lstm", lstm, lstm_arrays(2, 3), [(BATCH, 3, 3), (3, 20), (5, 20), (20,)])

    plan = compile_graph(Graph(case.inputs, case.outputs)).program.plan
    [scan] = [k for k in plan.kernels if type(k).__name__ == "Scan"]
    assert str(scan.rows) == "batch"


def test_a_sum_over_the_batch_is_not_cut_into_blocks():
    def coupled(x):
        return ops.scan(lambda c, _: (c + ops.sum(c, axis=0), None), x, length=3)[0]

    case = make_case("coupled", coupled, [normal(20, 3)], [(BATCH, 3)])
    assert differences(case, run(case)) == []


def test_a_row_number_is_not_cut_into_blocks():
    def counted(x):
        rows = ops.cast(ops.reshape(ops.cumsum(ops.ones_like(x[:, 0])), (-1, 1)), "float32")
        return ops.scan(lambda c, _: (c * 0.5 + rows * c, None), x, length=3)[0]

    case = make_case("counted", counted, [normal(35, 3)], [(BATCH, 3)])
    assert differences(case, run(case)) == []


def nodes_of(function, *arrays):
    case = make_case("case", function, arrays)

    gradient = gradients_of(case)
    graph = pipeline.run(Graph(case.inputs, [*case.outputs, *gradient.outputs]))
    return graph.nodes()


def test_forward_runs_once_and_backward_has_no_products_of_weights():
    """The gradient extends the forward loop instead of repeating it, and sums of products leave the loop."""
    loops = [n for n in nodes_of(lstm, *lstm_arrays(3, 4)) if n.op.name == "loop"]
    assert len(loops) == 2
    for loop in loops:
        inside = [n for n in topological(loop.attrs["body"].outputs) if n.op.name == "contract"]
        assert len(inside) == 1  # h times the recurrent weights, and its transpose on the way back


def test_a_map_is_no_loop():
    """Nothing is carried, so every step is done at once, forward and backward."""

    def softmax_of_products(x, w):
        return ops.vectorized_map(lambda row: ops.softmax(ops.matmul(row, w) * row[0, 0])[1:, ::2], x)

    arrays = [normal(5, 3, 4), normal(4, 6)]
    assert all(n.op.name != "loop" for n in nodes_of(softmax_of_products, *arrays))
    case = make_case("map", softmax_of_products, arrays, [(BATCH, 3, 4), (4, 6)])
    gradient = gradients_of(case)
    for count in (1, 7):
        other = [normal(count, 3, 4), arrays[1]]
        for one in (case, gradient):
            assert differences(one, run(one, other), other) == []


def test_what_is_made_of_slices_alone_moves_before_the_loop():
    def masked(x, w):
        return ops.scan(lambda c, x: (ops.tanh(c + ops.matmul(x * 2.0 + 1.0, w)), c), x[0, :, :2], x)[0]

    [loop] = [
        n
        for n in nodes_of(masked, normal(4, 3, 5), normal(5, 2))
        if n.op.name == "loop" and not n.attrs["reverse"]
    ]
    assert all(n.op.name != "contract" for n in topological(loop.attrs["body"].outputs))


def test_results_that_nobody_reads_are_dropped():
    def last(x):
        return ops.scan(lambda c, x: (c * 0.5 + x, ops.exp(x)), x[0], x)[0]

    case = make_case("last", last, [normal(4, 3)])

    [loop] = [n for n in pipeline.run(Graph(case.inputs, case.outputs)).nodes() if n.op.name == "loop"]
    assert len(loop.values) == 1


def test_same_bits_with_one_thread_and_two():
    from kcompile.runtime.team import team

    case = make_case("lstm", lstm, lstm_arrays(2, 3), [(BATCH, STEPS, 3), (3, 20), (5, 20), (20,)])
    executable = compile_graph(Graph(case.inputs, case.outputs))
    arrays = lstm_arrays(150, 60)
    bound = executable._bind([np.ascontiguousarray(a) for a in arrays], None)
    assert team().threads == 1 or bound.threads is None  # enough work to share
    many = executable(*arrays)
    bound.threads = 1
    for a, b in zip(many, executable(*arrays), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("batch", [3, 16, 17, 40])
def test_captured_rows_are_packed_block_by_block(batch):
    """Attention inside a scan: what is captured has rows of its own."""

    def attending(h, x):
        def step(h, _):
            scores = ops.softmax(ops.einsum("bi,bti->bt", h, x))
            return ops.einsum("bt,bti->bi", scores, x), None

        return ops.scan(step, h, length=3)[0]

    case = make_case("attending", attending, [normal(2, 8), normal(2, 6, 8)], [(BATCH, 8), (BATCH, 6, 8)])
    arrays = [normal(batch, 8), normal(batch, 6, 8)]
    assert differences(case, run(case, arrays), arrays) == []
