"""A reduction inside of another, the same in all its steps, is computed once.

Else the work would grow with the square of the data.
"""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.graph import Graph
from tests.programs import differences, make_case

BATCH = symbol("batch")


def variance(axis):
    return lambda x: ops.mean(ops.square(x - ops.mean(x, axis=axis, keepdims=True)), axis=axis)


def hits(x):
    return ops.sum(ops.cast(ops.equal(ops.argmax(x, axis=-1), 3), "float32"))


CASES = {
    "columns": (variance(0), (BATCH, 20)),
    "rows": (variance(1), (BATCH, 50)),
    "images": (variance((0, 1)), (BATCH, 40, 20)),
    "argmax": (hits, (BATCH, 60)),
    "softmax-loss": (lambda x: ops.sum(ops.logsumexp(x, axis=-1)), (BATCH, 60)),
}


def nesting(source):
    """How deep loops lie inside each other."""
    depths = [(len(line) - len(line.lstrip())) // 4 for line in source.splitlines() if "for " in line]
    return max(depths, default=0)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rows", [3, 700])
def test_values(name, rows):
    function, shape = CASES[name]
    case = make_case(name, function, [np.zeros((2, *shape[1:]), "float32")], [shape])
    x = np.random.default_rng(0).normal(size=(rows, *shape[1:])).astype("float32")
    assert differences(case, compile_graph(Graph(case.inputs, case.outputs))(x), [x]) == []


@pytest.mark.parametrize(
    "name, deepest", [("columns", 2), ("rows", 2), ("images", 3), ("argmax", 2), ("softmax-loss", 2)]
)
def test_no_loop_repeats_another(name, deepest):
    """Loops are as deep as the data has dimensions."""
    function, shape = CASES[name]
    case = make_case(name, function, [np.zeros((2, *shape[1:]), "float32")], [shape])
    specs = compile_graph(Graph(case.inputs, case.outputs)).program.specs
    assert max(nesting(s.source.text) for s in specs) <= deepest, "\n".join(s.source.text for s in specs)
