"""The rows of a product's tile: whole register tiles and what is left, by the micro-kernels that occur."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.codegen.contract_cpu import _row_sizes
from kcompile.codegen.expressions import CONSTANT_EXTENT
from kcompile.compiler import compile_graph
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from tests.helpers import assert_close


def product(rows):
    shapes = (5, rows), (5, 2 * CONSTANT_EXTENT)
    graph, _ = trace(
        lambda a, b: ops.matmul(ops.transpose(a), b),
        [make_parameter(name, TensorType(shape)) for name, shape in zip("ab", shapes, strict=True)],
    )
    arrays = [np.random.default_rng(rows).normal(size=shape).astype("float32") for shape in shapes]
    return compile_graph(graph), arrays


@pytest.mark.parametrize("rows", range(1, CONSTANT_EXTENT + 3))
def test_any_number_of_rows(rows):
    program, (a, b) = product(rows)
    assert_close(program(a, b)[0], a.T @ b, terms=5)


def test_only_what_occurs_is_compiled():
    """A kernel of one row calls one micro-kernel, one of very many all of them."""
    called = [
        sum(external.name.startswith("kc_micro") for spec in product(rows)[0].program.specs
            for external in spec.source.externals if not isinstance(external, str))
        for rows in (1, CONSTANT_EXTENT + 1)
    ]  # fmt: skip
    assert called[0] == 1 < called[1]


@pytest.mark.parametrize("rows", range(1, 17))
def test_every_number_of_rows_is_reached(rows):
    """Steps are never longer than a register tile, and one row alone is computed alone where that pays."""
    sizes = _row_sizes(rows)
    assert list(sizes) == sorted(sizes)
    assert max(sizes) == rows
    assert min(sizes) == (1 if rows > 3 else rows)
