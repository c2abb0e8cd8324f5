"""Every op on an emulated device against its NumPy reference: values, gradients, integers and symbolic
extents.

The emulator also checks that kernels stay in bounds, read only what is written, and have neither races nor
barriers that some threads miss.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from kcompile.compiler import compile_graph
from kcompile.core import dtypes
from kcompile.core.config import config
from kcompile.ir.graph import Graph
from kcompile.ir.op import REGISTRY
from kcompile.ops import elementwise as ew
from kcompile.ops import reduce
from tests import test_compiled_ops as contract
from tests.helpers import OF_LOOPS
from tests.programs import failures, make_case


@pytest.fixture(autouse=True)
def emulated(request: pytest.FixtureRequest) -> Iterator[None]:
    op = getattr(request.node, "callspec", None) and request.node.callspec.params.get("op")
    if getattr(op, "has_bodies", False) or getattr(op, "name", None) in OF_LOOPS:
        pytest.skip("loops run on the CPU only")
    with config(target="cuda-emulated"):
        yield


test_values = contract.test_values
test_gradients = contract.test_gradients
test_values_of_integers = contract.test_values_of_integers
test_values_with_a_symbolic_extent = contract.test_values_with_a_symbolic_extent


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_stored_and_computed_as_on_the_cpu(dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(7, 33)).astype(dtypes.numpy_dtype(dtype)) for _ in range(2)]
    case = make_case(dtype, lambda x, y: [ew.add(x, y), reduce.sum(ew.multiply(x, y), axis=1)], arrays)
    graph = Graph(case.inputs, case.outputs)
    found = compile_graph(graph)(*arrays)
    with config(target="cpu"):
        expected = compile_graph(graph)(*arrays)
    for got, want in zip(found, expected, strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got.astype(np.float32), want.astype(np.float32))


@pytest.mark.parametrize("m", [1, 15, 17, 65])
@pytest.mark.parametrize("n", [1, 7, 16, 33, 64])
@pytest.mark.parametrize("k", [2, 16, 33])
def test_products_of_odd_sizes(m, n, k):
    """Tiles of all sizes with ragged edges in every direction."""
    rng = np.random.default_rng(m * n * k)
    x, w = rng.normal(size=(m, k)).astype(np.float32), rng.normal(size=(k, n)).astype(np.float32)
    matmul = REGISTRY["matmul"]
    assert failures([make_case("matmul", lambda a, b: matmul(a, b), [x, w])]) == []


@pytest.mark.parametrize("shape", [(1, 33), (3, 300), (33, 40), (300, 3), (2049, 1), (5, 1), (2, 70, 37)])
@pytest.mark.parametrize("axis", [0, -1, None])
def test_reductions_in_all_layouts(shape, axis):
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    wanted = None if axis is None else (axis,)
    cases = [
        make_case("sum", lambda a: reduce.sum(a, axis=wanted), [x]),
        make_case("max", lambda a: reduce.max(a, axis=wanted), [x]),
        make_case("any", lambda a: reduce.any(ew.greater(a, 2.5), axis=wanted), [x]),
    ]
    assert failures(cases) == []
