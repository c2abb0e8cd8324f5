"""Gradients at zeros of either sign, infinities, ties and bounds, against Keras on JAX; and branches that
keep what is infinite to themselves.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import kcompile
from kcompile import ops
from kcompile.autograd.backward import pull_back
from kcompile.compiler import compile_graph
from kcompile.ir.graph import Graph
from kcompile.ir.op import constant
from kcompile.ops import elementwise as ew
from kcompile.ops.branches import gate_op
from kcompile.passes import decompose
from tests.parity.gradient_cases import CASES, DIFFERS, weights
from tests.programs import Case, make_case

EXPECTED = np.load(Path(__file__).parents[1] / "parity" / "gradients.npz")
# Compiled in one program: the rules that have special points of their own.
COMPILED = [
    "chosen_0", "chosen_1", "chosen_2", "chosen_3", "power_0", "power", "maximum", "minimum", "clip",
    "cumprod", "hypot", "logaddexp", "cbrt", "fmod", "relu6", "elu", "celu", "hard_tanh", "hard_sigmoid",
    "nanvar", "nanstd",
]  # fmt: skip


@cache
def gradients(name: str) -> Case:
    """The gradients of a case as a program."""
    case = CASES[name]
    made = make_case(name, lambda *xs: case.function(ops, *xs), case.arrays)
    [y] = made.outputs
    found = pull_back(y, constant(weights(y.shape)), made.inputs)
    slopes = [constant(0.0, "float32") if d is None else ew.as_tensor(d) for d in found]
    filled = [constant(d) if isinstance(d, np.ndarray) else d for d in slopes]
    return Case(
        name, made.inputs, made.arrays,
        [ops.broadcast_to(d, x.shape) for d, x in zip(filled, made.inputs, strict=True)],
    )  # fmt: skip


def check(name: str, found: list[np.ndarray]) -> None:
    arrays = CASES[name].arrays
    skipped = DIFFERS[name][1](*arrays) if name in DIFFERS else np.zeros(arrays[0].shape, bool)
    for number, got in enumerate(found):
        expected = EXPECTED[f"{name}.{number}"]
        np.testing.assert_allclose(
            np.where(skipped, 0, got), np.where(skipped, 0, expected), rtol=1e-4, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_keras(name):
    check(name, gradients(name).expected())


def test_compiled_gradients_are_those_of_keras():
    cases = [gradients(name) for name in COMPILED]
    graph = Graph([x for c in cases for x in c.inputs], [y for c in cases for y in c.outputs])
    found = iter(compile_graph(graph)(*(a for c in cases for a in c.arrays)))
    for case in cases:
        check(case.name, [next(found) for _ in case.outputs])


def test_every_difference_is_of_a_case():
    assert DIFFERS.keys() <= CASES.keys()


@pytest.mark.parametrize(
    "name", ["chosen_0", "chosen_1", "chosen_2", "chosen_3", "where_safe", "power_0", "nanvar"]
)
def test_gradients_are_finite_where_the_function_is(name):
    slopes = gradients(name).expected()
    finite = [np.isfinite(a) for a in CASES[name].arrays]
    if name == "nanvar":  # of rows with numbers alone
        finite = [np.broadcast_to(~np.isinf(a).any(-1, keepdims=True), a.shape) for a in CASES[name].arrays]
    for slope, ok in zip(slopes, finite, strict=True):
        assert np.isfinite(slope[ok]).all()


def test_gates_are_nothing_at_run_time():
    x = make_case("gate", lambda x: gate_op(x, constant(np.array(True))), [np.ones(3, "float32")])
    assert decompose.run(Graph(x.inputs, x.outputs)).outputs == x.inputs


def test_a_weight_of_an_untaken_branch_gets_no_gradient():
    class Choice(kcompile.layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(shape=(), initializer="zeros", name="scale")

        def call(self, x):
            return ops.cond(ops.sum(x) > 0, lambda: x * (1.0 + self.scale), lambda: x * ops.log(self.scale))

    model = kcompile.Sequential([kcompile.Input((2,)), Choice()])
    model.compile("sgd", "mse")
    x = np.ones((4, 2), "float32")
    model.train_on_batch(x, 3 * x)
    [weight] = model.get_weights()
    np.testing.assert_allclose(weight, 0.01 * 4, rtol=1e-5)  # mean of 2 (1 - 3) over the elements


def test_a_branch_inside_of_a_loop_keeps_its_infinity():
    def total(x):
        def step(carry, v):
            return carry + ops.cond(v > 0, lambda: ops.log(v), lambda: v * 2.0), None

        return ops.scan(step, np.float32(0), x)[0]

    x = np.array([0.0, 2.0, -1.0], "float32")
    case = make_case("loop", total, [x])
    [slope] = pull_back(case.outputs[0], constant(np.float32(1)), case.inputs)
    for found in (
        Case("loop", case.inputs, [x], [slope]).expected(),
        compile_graph(Graph(case.inputs, [slope]))(x),
    ):
        np.testing.assert_allclose(found[0], [2.0, 0.5, 2.0], rtol=1e-6)
