"""The lean order: what is read last can run early, and the results are those of any other order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import kcompile
from kcompile import layers, ops
from kcompile.compiler import compile_graph
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.schedule import order, plan
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable
from tests.helpers import assert_close

SIDE = 512  # a value of 1 MB


def late_sums(x):
    """Wide values that a sum at the end reads, once more each than the chain needs them."""
    wide = []
    for k in range(8):
        x = ops.matmul(x, ops.transpose(x)) * (0.001 * (k + 1))
        wide.append(x)
    return [x[:1], *(ops.sum(ops.tanh(w), axis=0) for w in wide)]


def arena_of(step, monkeypatch, lean):
    if not lean:
        monkeypatch.setattr(plan, "lean_order", lambda kernels, aliases, outside: kernels)
    graph, _ = trace(step, [make_parameter("x", TensorType((SIDE, SIDE)))])
    executable = compile_graph(graph)
    x = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype("float32")
    outputs = executable(x)
    return executable.program.bind({}).arena.nbytes, outputs


def test_what_is_read_late_is_let_go_early(monkeypatch):
    lean, got = arena_of(late_sums, monkeypatch, True)
    plain, want = arena_of(late_sums, monkeypatch, False)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)  # the same kernels in another order
    assert lean <= 0.75 * plain


def lists(*names):
    """Kernels as order sees them: what they touch, by names; each value has a size of its own."""
    return [set(one) for one in names]


@pytest.mark.parametrize(
    "touched, sizes, expected",
    [
        (["a", "ab", "b"], {"a": 4, "b": 2}, 6),
        (["a", "b", "c"], {"a": 4, "b": 2, "c": 1}, 4),
        (["ab", "b", "a"], {"a": 4, "b": 2}, 6),
        (["az", "z"], {"a": 4}, 4),
        ([], {}, 0),
    ],
)
def test_the_peak(touched, sizes, expected):
    assert order.peak(lists(*touched), sizes) == expected


@dataclass(frozen=True)
class Touching:
    """As much of a kernel as dependences look at: names of what it reads and writes."""

    reads: str
    written: str


def after(monkeypatch, *kernels, aliases=None):
    monkeypatch.setattr(order, "writes", lambda kernel: tuple(kernel.written))
    return order._dependents([Touching(*one.split(">")) for one in kernels], aliases or {})


@pytest.mark.parametrize(
    "kernels, expected",
    [
        (("x>a", "a>b"), [{1}, set()]),  # read after it is written
        (("a>b", "x>a"), [{1}, set()]),  # written after it is read
        (("x>a", "y>a"), [{1}, set()]),  # written again
        (("a>b", "a>c"), [set(), set()]),  # read twice
        (("x>a", "a>b", "a>c", "x>a", "a>d"), [{1, 2, 3}, {3}, {3}, {4}, set()]),
    ],
)
def test_what_must_stay_in_order(monkeypatch, kernels, expected):
    assert after(monkeypatch, *kernels) == expected


def test_an_alias_is_its_variable(monkeypatch):
    assert after(monkeypatch, "v>y", "x>n", aliases={"n": "v"}) == [{1}, set()]


def test_small_plans_stay_in_their_order():
    graph, _ = trace(late_sums, [make_parameter("x", TensorType((8, 8)))])
    kernels = compile_graph(graph).program.plan.kernels
    assert order.lean_order(kernels, {}, set()) is kernels


def test_a_variable_is_read_before_it_is_written():
    """The update is ready early and would let go of what it reads, but an output reads the old weight."""

    def outcome():
        w = Variable(np.full((SIDE, SIDE), 0.01, "float32"), name="w")

        def step(x):
            old = w.value
            y = ops.matmul(x, old)
            w.assign(old + y * 0.1)
            z = ops.matmul(ops.tanh(y), ops.transpose(old))
            return ops.sum(z, axis=0), ops.sum(w.value, axis=0)

        graph, _ = trace(step, [make_parameter("x", TensorType((SIDE, SIDE)))])
        x = np.random.default_rng(1).uniform(0, 1, (SIDE, SIDE)).astype("float32")
        return x, [*compile_graph(graph)(x), w.numpy()]

    x, got = outcome()
    old = np.full((SIDE, SIDE), 0.01)
    y = x.astype("float64") @ old
    want = [(np.tanh(y) @ old.T).sum(0), (old + 0.1 * y).sum(0), old + 0.1 * y]
    for a, b in zip(got, want, strict=True):
        assert_close(a, b.astype("float32"), terms=SIDE * SIDE)


def network():
    kcompile.utils.set_random_seed(5)
    x = kcompile.Input((32, 64, 3))
    y = layers.Dense(32, activation="gelu")(x)
    for _ in range(3):
        y = layers.LayerNormalization()(layers.Add()([y, layers.Dense(32, activation="gelu")(y)]))
    model = kcompile.Model(x, layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(y)))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_training_gives_the_same_weights_in_less_memory(monkeypatch):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(38, 32, 64, 3)).astype("float32"), rng.integers(0, 4, 38)

    def trained():
        model = network()
        model.fit(x, y, batch_size=32, epochs=1, shuffle=False, verbose=0)
        step = model._training.programs.batch("train", (x[:32], y[:32], None)).run
        return step.program.bind({"batch": 32}).arena.nbytes, model.get_weights()

    lean, got = trained()
    monkeypatch.setattr(plan, "lean_order", lambda kernels, aliases, outside: kernels)
    plain, want = trained()
    assert lean < plain
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)
