"""Programs whose rows are independent run some rows at a time, where the caches would not hold all."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.passes import pipeline
from kcompile.runtime import program as programs
from kcompile.schedule.rows import rows_of
from kcompile.trace.tracer import trace

BATCH = symbol("batch")
WEIGHTS = np.random.default_rng(0).normal(size=(6, 6)).astype("float32")


def graph_of(function, *shapes):
    inputs = [make_parameter(f"x{k}", TensorType(s)) for k, s in enumerate(shapes)]
    return trace(function, inputs)[0]


def normal(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


INDEPENDENT = {
    "elements": lambda x: ops.tanh(x) + 1.0,
    "softmax": lambda x: ops.softmax(x, axis=-1),
    "joined axes": lambda x: ops.reshape(ops.matmul(ops.reshape(x, (-1, 6)), WEIGHTS), (-1, 4, 6)),
    "turned": lambda x: ops.transpose(ops.tanh(ops.transpose(x, (1, 0, 2))), (1, 0, 2)),
    "reversed within": lambda x: ops.flip(x, axis=1),
    "sums of a row": lambda x: ops.sum(x, axis=(1, 2)),
    "taken by number": lambda x: ops.take(WEIGHTS, ops.cast(ops.abs(x[:, :, 0]) * 2, "int32"), axis=0),
    "convolution": lambda x: ops.conv(x, normal(3, 6, 5), padding="same"),
}
DEPENDENT = {
    "mean of the batch": lambda x: x - ops.mean(x, axis=0, keepdims=True),
    "reversed batch": lambda x: ops.flip(x, axis=0),
    "rolled": lambda x: ops.roll(x, 1, axis=0),
    "first row": lambda x: x + x[:1],
    "number of the row": lambda x: (
        x + ops.cast(ops.reshape(ops.arange(ops.shape(x)[0]), (-1, 1, 1)), "float32")
    ),
    "number of rows": lambda x: x * ops.cast(ops.shape(x)[0], "float32"),
    "running sum": lambda x: ops.cumsum(x, axis=0),
    "products of rows": lambda x: ops.matmul(x[:, 0], ops.transpose(x[:, 0])),
    "columns first": lambda x: ops.reshape(ops.transpose(x, (1, 0, 2)), (-1, 6)),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_rows_at_a_time_give_what_all_give(name, monkeypatch):
    graph = graph_of(INDEPENDENT[name], (BATCH, 4, 6))
    assert rows_of(pipeline.run(graph)) == "batch"
    x = normal(13, 4, 6)
    whole = compile_graph(graph)(x)
    monkeypatch.setattr(programs, "BLOCK_BYTES", 1)
    monkeypatch.setattr(programs.Program, "_read_bytes", 300)
    for got, want in zip(compile_graph(graph)(x), whole, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", DEPENDENT)
def test_what_depends_on_other_rows_is_not_cut(name):
    assert rows_of(pipeline.run(graph_of(DEPENDENT[name], (BATCH, 4, 6)))) is None


def test_work_without_rows_is_not_repeated(monkeypatch):
    def function(x, y):
        return x + ops.sum(ops.matmul(y, y), axis=0)

    monkeypatch.setattr(programs, "BLOCK_BYTES", 1 << 15)
    monkeypatch.setattr(programs.Program, "_read_bytes", 0)
    for size, is_cut in ((200, False), (4, True)):
        graph = graph_of(lambda x, y: ops.tanh(ops.matmul(function(x, y), y)), (BATCH, size), (size, size))
        program = compile_graph(graph).program
        assert program.listing.rows == "batch"
        assert bool(program.bind({"batch": 9000}).block) == is_cut


def test_a_program_that_writes_variables_is_not_cut():
    model = keras.Sequential([keras.Input((3,)), layers.BatchNormalization()])
    model.compile("sgd", "mse")
    model.fit(normal(8, 3), normal(8, 3), verbose=0)
    step = model._training.programs.batch("train", (normal(8, 3), normal(8, 3), None))
    assert step.run.program.listing.rows is None


def network():
    image, extra = keras.Input((8, 8, 3)), keras.Input((5,))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(32, 3, activation="relu")(x))
    both = layers.Concatenate()([x, layers.Dense(4)(extra)])
    return keras.Model([image, extra], [layers.Dense(3)(both), x])


@pytest.mark.parametrize("rows", [1, 2, 7, 40])
def test_models_of_several_inputs_and_outputs(rows, monkeypatch):
    model, inputs = network(), [normal(rows, 8, 8, 3), normal(rows, 5)]
    want = model(inputs)
    sizes = []
    monkeypatch.setattr(programs, "BLOCK_BYTES", 1 << 16)
    original = programs.Program.bind
    monkeypatch.setattr(
        programs.Program, "bind", lambda self, s: sizes.append(s["batch"]) or original(self, s)
    )
    again = keras.models.clone_model(model)
    again.set_weights(model.get_weights())
    for got, expected in zip(again(inputs), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    assert sizes[0] == rows and (rows < 40 or max(sizes[1:]) < 10), "the whole, then parts of it"


def test_threads_may_call_at_once(monkeypatch):
    monkeypatch.setattr(programs, "BLOCK_BYTES", 1 << 16)
    model = network()
    inputs = [[normal(n, 8, 8, 3) + n, normal(n, 5)] for n in (21, 33)]
    want = [model(x) for x in inputs]
    failures = []

    def call(x, expected):
        for _ in range(20):
            for got, known in zip(model(x), expected, strict=True):
                if not np.array_equal(got, known):
                    failures.append(got)

    threads = [threading.Thread(target=call, args=pair) for pair in zip(inputs, want, strict=True)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures
