"""The next tile's memory, prefetched: where it is worth it, and that it changes no number."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.codegen import cpu
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.schedule.target import Target
from kcompile.trace.tracer import trace

RNG = np.random.default_rng(5)


def columns_of_a_tile():
    target: Target = cpu.target()
    return target.tile(64, "float32")[1]


def pixels(steps, features, side=24):
    """A product over the channels of images, with an epilogue that reads a second image."""
    shapes = (
        (symbol("batch"), side, side, steps),
        (steps, features),
        (symbol("batch"), side, side, features),
    )
    inputs = [make_parameter(f"p{k}", TensorType(shape)) for k, shape in enumerate(shapes)]
    program = compile_graph(trace(lambda x, w, r: ops.relu(ops.matmul(x, w)) * r + 1, inputs)[0])
    return program, lambda batch: [
        RNG.normal(size=[batch if not isinstance(d, int) else d for d in shape]).astype("float32")
        for shape in shapes
    ]


def prefetches(program):
    externals = [e.name for spec in program.program.specs for e in spec.source.externals]
    return {name for name in externals if "prefetch" in name}


@pytest.mark.parametrize("panels", [1, 3])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_numbers_stay_as_they_are(panels, batch):
    program, arrays = pixels(32, panels * columns_of_a_tile())
    assert len(prefetches(program)) == 2  # what is read, what is written
    x, w, r = arrays(batch)
    want = np.maximum(x.astype("float64") @ w, 0) * r + 1
    np.testing.assert_allclose(program(x, w, r)[0], want, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    "case",
    [(256, 1, 24), (96, 2, 24), (32, 1, 1), (32, 1.1, 24)],
    ids=["a long reduction", "half as long, of parts of rows", "few results", "part of a panel"],
)
def test_elsewhere_nothing_is_prefetched(case):
    steps, panels, side = case
    program, _ = pixels(steps, int(panels * columns_of_a_tile()), side)
    assert not prefetches(program)
