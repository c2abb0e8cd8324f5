"""Crops of contractions move to their operands, whatever reshape lies between."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace

# the product's shape, the shape that it is given, and what is kept of it
CASES = [
    ((5, 7), (5, 7), np.s_[1:, 2:6]),
    ((5, 7), (5, 7, 1), np.s_[1:, 2:6]),
    ((5, 7), (5, 7, 1, 1), np.s_[:4, :, :, 0:1]),
    ((3, 4, 7), (12, 7), np.s_[4:]),
    ((3, 4, 7), (12, 7), np.s_[5:11, 1:]),
    ((3, 4, 7), (12, 7, 1), np.s_[5:11, 1:]),
    ((3, 4, 1), (12, 1), np.s_[2:9]),
    ((3, 1, 7), (3, 7), np.s_[1:, 3:]),
]


@pytest.mark.parametrize(("made", "given", "kept"), CASES)
def test_a_part_of_a_product(made, given, kept):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(*made[:-1], 6)), rng.normal(size=(6, made[-1]))
    parameters = [make_parameter(name, TensorType(a.shape, "float64")) for name, a in (("x", x), ("w", w))]
    graph, _ = trace(lambda x, w: ops.reshape(ops.matmul(x, w), given)[kept], parameters)
    (got,) = compile_graph(graph)(x, w)
    np.testing.assert_allclose(got, (x @ w).reshape(given)[kept], rtol=1e-12, atol=1e-12)
