"""One kernel for every batch: whole tiles, what is left of rows, and lanes of which half are empty."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace

SIZES = (1, 2, 3, 4, 5, 7, 11, 12, 13, 31, 32, 33, 63, 64, 65, 97, 128, 130)
BATCH = symbol("batch")


def _run(function, *shapes):
    inputs = [make_parameter(f"x{k}", TensorType(shape, "float32")) for k, shape in enumerate(shapes)]
    return compile_graph(trace(function, inputs)[0])


@pytest.mark.parametrize("width", [10, 24, 48, 64, 130], ids="{} columns".format)
def test_rows_of_a_product(width):
    run = _run(ops.matmul, (BATCH, 37), (37, width))
    rng = np.random.default_rng(0)
    w = rng.normal(size=(37, width)).astype("float32")
    for size in SIZES:
        x = rng.normal(size=(size, 37)).astype("float32")
        np.testing.assert_allclose(run(x, w)[0], x @ w, rtol=1e-4, atol=1e-4, err_msg=f"batch {size}")


@pytest.mark.parametrize("depth", [64, 512])
def test_the_batch_in_the_lanes(depth):
    """x w' of a wide, untransposed w: its rows are the rows of the tile, and the batch fills the lanes."""
    run = _run(lambda x, w: ops.matmul(x, ops.transpose(w)), (BATCH, depth), (256, depth))
    rng = np.random.default_rng(0)
    w = rng.normal(size=(256, depth)).astype("float32")
    for size in SIZES:
        x = rng.normal(size=(size, depth)).astype("float32")
        np.testing.assert_allclose(run(x, w)[0], x @ w.T, rtol=1e-4, atol=1e-3, err_msg=f"batch {size}")
