"""How much work a kernel is: what decides whether another thread is worth its barrier."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace

ROWS, COLUMNS = 32, 10
SIZE = ROWS * COLUMNS


def work(function):
    graph, _ = trace(function, [make_parameter("x", TensorType((ROWS, COLUMNS)))])
    return sum(spec.work for spec in compile_graph(graph).program.specs)


@pytest.mark.parametrize(
    "function, low, high",
    [
        (lambda x: x + 1.0, SIZE, SIZE),
        (lambda x: ops.sum(x, axis=1), SIZE + ROWS, SIZE + ROWS),
        # The largest of a row, the sum of its exponentials, their quotients: each once a row, not a column.
        (lambda x: ops.softmax(x), SIZE, 4 * SIZE),
        (lambda x: x - ops.mean(x, axis=1, keepdims=True), SIZE, 3 * SIZE),
    ],
)
def test_elements_are_counted_as_often_as_they_are_visited(function, low, high):
    assert low <= work(function) <= high


def bound(units):
    model = keras.Sequential([keras.Input((64,)), *(keras.layers.Dense(n, "relu") for n in units)])
    model.add(keras.layers.Dense(10, "softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.zeros((32, 64), "float32"), np.zeros(32, "int64")
    step = model._training.programs.batch("train", (x, y, None))
    return step.run._bind(step.run._prepared([x, y]), {})


def test_a_small_step_runs_on_its_own_thread():
    """The digits network: eighteen commands of a quarter of a microsecond, each with a barrier else."""
    assert bound([32]).threads == 1
    assert bound([512, 512]).threads is None
