"""What the tests of ops share: every sample of every op, and comparison within the tolerance of a dtype."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import pytest

import kcompile.ops  # noqa: F401  (fills the registry)
from kcompile.compiler import compile_graph
from kcompile.core import dtypes
from kcompile.core.config import config
from kcompile.ir.graph import Graph
from kcompile.ir.op import REGISTRY, Op, Sample

# Composites whose decomposition is a loop.
OF_LOOPS = {"cholesky", "det", "eigh", "lu", "qr", "slogdet", "solve", "solve_triangular", "svd"}
LEAVES = ("parameter", "variable", "constant", "memory")  # where values come from: no computation to test


def all_ops() -> list[Op]:
    return [op for name, op in sorted(REGISTRY.items()) if name not in LEAVES]


def samples_of(op: Op) -> list[Sample]:
    """The op's samples; the same numbers in every run."""
    return list(op.rules["samples"](np.random.default_rng(zlib.crc32(op.name.encode()))))


def all_samples() -> Iterator[tuple[Op, Sample, str]]:
    """Every op with each of its samples and a name for it."""
    for op in all_ops():
        for number, sample in enumerate(samples_of(op)):
            yield op, sample, f"{op.name}-{number}-{sample.name}".replace(" ", "")


def parametrize_samples(rule: str = "", *, differentiable: bool = False):
    """Run a test for (op, sample) of all ops that have `rule`."""
    chosen = [
        pytest.param(op, sample, id=name)
        for op, sample, name in all_samples()
        if (not rule or op.has(rule)) and (sample.differentiable or not differentiable)
    ]
    return pytest.mark.parametrize(("op", "sample"), chosen)


def assert_as_reference(graph: Graph, *arrays: np.ndarray, terms: int) -> None:
    """A compiled graph, in memory that is poisoned, gives what its operations one by one give."""
    with config(poison=True):
        got = compile_graph(graph)(*arrays)
    with config(target="reference"):
        want = compile_graph(graph)(*arrays)
    for a, b in zip(got, want, strict=True):
        assert_close(a, b, terms=terms)


def assert_close(
    actual: np.ndarray, expected: np.ndarray, terms: int = 1, scale: float | None = None
) -> None:
    """Equal within the tolerance of the dtype for sums of `terms` products; exactly for ints and bools.

    scale: the size of the numbers that were summed, where the results may be small by cancellation.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    dtype = dtypes.standardize(expected.dtype)
    if not dtypes.is_float(dtype):
        np.testing.assert_array_equal(actual, expected)
        return
    tolerance = dtypes.tolerance(dtype, terms)
    finite = np.abs(expected[np.isfinite(expected)].astype(np.float64))
    size = scale if scale is not None else float(finite.max(initial=0.0))
    np.testing.assert_allclose(
        actual.astype(np.float64),
        expected.astype(np.float64),
        rtol=tolerance,
        atol=tolerance * max(size, 1e-30),
    )
