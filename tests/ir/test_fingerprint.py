"""The fingerprint tells apart whatever compiles to something else, and nothing else."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kcompile import ops
from kcompile.core.symbolic import symbol
from kcompile.ir import graph as graphs
from kcompile.ir.fingerprint import Unfit, fingerprint
from kcompile.ir.op import REGISTRY, Op, make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable

ROOT = Path(__file__).resolve().parents[2]


_numbers = itertools.count()


def of(function, shapes=((3, 4), (3, 4)), dtype="float32", stable=()):
    inputs = [make_parameter(f"x{next(_numbers)}", TensorType(shape, dtype)) for shape in shapes]
    graph, _ = trace(function, inputs)
    graph.stable = frozenset(inputs[k] for k in stable)
    return fingerprint(graph)


def scanned(factor):
    def function(x, y):
        return ops.scan(lambda carry, row: (carry * factor + row, carry), x[0], y)[1]

    return function


VARIANTS = {
    "sum": lambda x, y: x + y,
    "difference": lambda x, y: x - y,
    "turned around": lambda x, y: y - x,
    "constant": lambda x, y: x + y * 2.0,
    "constant, one bit more": lambda x, y: x + y * np.nextafter(np.float32(2.0), np.float32(3.0)),
    "negative zero": lambda x, y: x + y * -0.0,
    "zero": lambda x, y: x + y * 0.0,
    "array": lambda x, y: x + np.arange(4, dtype="float32"),
    "array in another order": lambda x, y: x + np.arange(4, dtype="float32")[::-1].copy(),
    "attribute": lambda x, y: ops.sum(x, axis=0) + y[0],
    "another attribute": lambda x, y: ops.sum(x, axis=1)[:, None] + y,
    "two outputs": lambda x, y: (x + y, x),
    "two outputs, the other order": lambda x, y: (x, x + y),
    "loop": scanned(2.0),
    "loop with another body": scanned(3.0),
}


def test_whatever_differs_is_told_apart():
    found = {name: of(function) for name, function in VARIANTS.items()}
    found["float64"] = of(VARIANTS["sum"], dtype="float64")
    found["another shape"] = of(VARIANTS["sum"], shapes=((4, 4), (4, 4)))
    found["open dimension"] = of(VARIANTS["sum"], shapes=((symbol("n"), 4), (symbol("n"), 4)))
    found["with another bound"] = of(
        VARIANTS["sum"], shapes=((symbol("n", low=2), 4), (symbol("n", low=2), 4))
    )
    found["stable input"] = of(VARIANTS["sum"], stable=(0,))
    found["the other stable input"] = of(VARIANTS["sum"], stable=(1,))
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_same_trace_has_the_same_fingerprint(name):
    first = of(VARIANTS[name])
    _ = make_parameter("another", TensorType((7,))) + 1.0  # numbers of nodes go on counting
    assert of(VARIANTS[name]) == first


def assigned(names, order, dtype="float32"):
    a, b = (Variable(np.zeros(4), dtype=dtype, name=name) for name in names)

    def step(x, y):
        for target in (a, b)[::order]:
            target.assign(target + x[0] if target is a else target * y[0])

    return of(step)


def test_variables_count_by_their_place():
    assert assigned("ab", 1) == assigned("cd", 1)
    assert assigned("ab", 1) != of(lambda x, y: (x[0], y[0]))


def test_layer_paths_do_not_count():
    """A node keeps the path under which it was first made, in whatever model that was."""

    def within(path):
        def function(x, y):
            before = graphs.set_origin(path)
            try:
                return ops.sin(x) + ops.cos(y)
            finally:
                graphs.set_origin(before)

        return of(function)

    assert within("dense") == within("dense_1")


def test_an_op_of_a_users_own_has_no_lasting_name():
    """Its rules may be edited, and the program would go on as it was."""
    mine = Op("of_a_test", outputs=1)
    mine.infer(lambda x: x)
    try:
        with pytest.raises(Unfit, match="of_a_test"):
            of(lambda x, y: mine(x))
    finally:
        del REGISTRY["of_a_test"]


def test_assigned_variables_are_told_apart():
    a, b = (Variable(np.zeros(4), name=name) for name in "ab")

    def step(first, second):
        def function(x, y):
            new = a + x[0], b + y[0]
            first.assign(new[0])
            second.assign(new[1])

        return function

    assert of(step(a, b)) != of(step(b, a))


def test_a_symbolic_attribute_counts():
    n = symbol("n", low=2)
    shapes = ((n, 4), (n, 4))
    assert of(lambda x, y: ops.broadcast_to(x[:1], (n, 4)) + y, shapes) != of(
        lambda x, y: ops.broadcast_to(x[:1], (n * 2, 4))[:n] + y, shapes
    )


def test_the_same_in_every_process():
    program = "from tests.ir.test_fingerprint import VARIANTS, of\nprint(*(of(f) for f in VARIANTS.values()))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "17"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [of(function) for function in VARIANTS.values()]
