"""Each family of kernels beside NumPy, beyond and just short of what one tile, pass, block or part holds."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from kcompile.compiler import compile_graph
from kcompile.core import dtypes
from kcompile.ir.evaluate import bind_symbols, evaluate
from kcompile.runtime.poison import PoisonedExecutable
from tests.codegen.random_kernels import FAMILIES, Kernels
from tests.schedule.test_random_graphs import run_by_two

# New examples in every run if their number is given, as for random graphs.
GIVEN = os.environ.get("KCOMPILE_TEST_EXAMPLES")
EXAMPLES = {"product": 8, "convolution": 6, "winograd": 5}
FIRST = int.from_bytes(os.urandom(3), "little") if GIVEN else 0
CASES = [
    pytest.param(family, FIRST + k, id=f"{family}-{FIRST + k}")
    for family in FAMILIES
    for k in range(int(GIVEN) if GIVEN else EXAMPLES.get(family, 3))
]
# Of the deviation of a result: sums of a few thousand products, Winograd's transforms, and exponentials.
TOLERANCES = {"float32": 2e-4, "float64": 1e-10, "bfloat16": 2e-2}


def assert_agrees(got: np.ndarray, want: Any, case: str) -> None:
    want = np.asarray(want)
    assert (got.shape, got.dtype) == (want.shape, want.dtype), case
    if not dtypes.is_float(want.dtype.name):
        np.testing.assert_array_equal(got, want, err_msg=case)
        return
    tolerance = TOLERANCES[want.dtype.name]
    got, want = got.astype("float64"), want.astype("float64")
    scale = float(np.sqrt(np.mean(np.square(want)))) if want.size else 0.0
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * max(scale, 1e-2), err_msg=case)


@pytest.mark.parametrize(("family", "seed"), CASES)
def test_values_and_gradients_of_any_size_agree_with_numpy(family, seed):
    """Also where free memory is poisoned, and to the same bits on two threads."""
    made = Kernels(family, seed)
    graph = made.graph
    program = compile_graph(graph)
    poisoned = PoisonedExecutable(program.program, program.rules)
    for batch in made.batches():
        arrays = made.arrays(batch)
        expected = evaluate(
            graph.outputs, dict(zip(graph.inputs, arrays, strict=True)), bind_symbols(graph.inputs, arrays)
        )
        outputs = program(*arrays)
        for k, (got, want) in enumerate(zip(outputs, expected, strict=True)):
            assert_agrees(got, want, f"batch {batch}, output {k}")
        for got, want in zip(poisoned(*arrays), outputs, strict=True):
            np.testing.assert_array_equal(got, want, err_msg=f"batch {batch}, poisoned")
    for got, want in zip(run_by_two(program, arrays), outputs, strict=True):
        np.testing.assert_array_equal(got, want, err_msg="two threads")
