"""When a matrix is copied to panels before it is multiplied, though its rows could be read where they lie."""

import pytest

from kcompile import ops
from kcompile.codegen import cpu
from kcompile.core.symbolic import symbol
from kcompile.ir.kernels import Pack
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.passes import pipeline
from kcompile.schedule.plan import plan_graph
from kcompile.trace.tracer import trace


def is_packed(rows, depth, columns):
    inputs = [make_parameter(f"x{k}", TensorType(s)) for k, s in enumerate([(rows, depth), (depth, columns)])]
    graph, _ = trace(ops.matmul, inputs)
    return any(isinstance(k, Pack) for k in plan_graph(pipeline.run(graph), cpu.target()).kernels)


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        (16, 1024, False),  # read too seldom
        (64, 1024, True),  # rows a multiple of 4096 bytes long share the sets of the first-level cache
        (64, 2048, True),
        (64, 512, False),
        (512, 512, True),  # read so often that packing pays anyway
        (512, 640, True),
        (symbol("batch"), 512, False),  # taken for 128 rows
        (symbol("batch"), 1024, True),
        (symbol("batch") * 64, 512, True),
        (16, 30, True),  # the last panel is not whole
    ],
)
def test_packing_pays_from_some_rows_on(rows, columns, expected):
    assert is_packed(rows, 96, columns) == expected
