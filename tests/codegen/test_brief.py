"""Kernels that compute little are short texts: compiling takes longer than they ever do."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from tests.helpers import assert_close


@pytest.mark.parametrize(("rows", "is_brief"), [(3, True), (300, False)])
@pytest.mark.parametrize("terms", [3, 12])
def test_sums_are_written_out_where_it_pays(rows, is_brief, terms):
    graph, _ = trace(
        lambda x: ops.sum(ops.exp(x) * x, axis=0), [make_parameter("x", TensorType((terms, rows)))]
    )
    program = compile_graph(graph)
    (spec,) = program.program.specs
    assert spec.source.is_brief is is_brief
    assert spec.source.text.count("= exp(") == (1 if is_brief and terms == 12 else terms)
    x = np.random.default_rng(0).normal(size=(terms, rows)).astype("float32")
    assert_close(program(x)[0], np.sum(np.exp(x) * x, axis=0), terms=terms)
