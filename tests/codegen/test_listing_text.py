"""Listings as text: what is read is what was written."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.codegen import cpu
from kcompile.codegen.listing_text import dumps, loads
from kcompile.codegen.source import MissingObject
from kcompile.codegen.spec import flat
from kcompile.core import symbolic
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.passes import pipeline
from kcompile.schedule.plan import plan_graph
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable

N = symbol("n")


def halves(x):
    """Extents with a floor division and a minimum."""
    return ops.sum(x[::2], axis=1), ops.max(x[:5] * 2.0, axis=0)


def loop(x):
    return ops.scan(lambda carry, row: (ops.tanh(carry @ WEIGHT + row), carry), x[0], x)


def packed(x):
    return x @ ops.convert_to_tensor(np.arange(64, dtype="float32").reshape(8, 8)) + 1.0


WEIGHT = Variable(np.eye(8, dtype="float32"), name="weight")
PROGRAMS = {"halves": halves, "loop": loop, "packed": packed}


def made(function):
    parameter = make_parameter("x", TensorType((N, 8)))
    graph, _ = trace(function, [parameter])
    graph = pipeline.run(graph)
    return cpu.listing(plan_graph(graph, cpu.target())), [parameter, WEIGHT.leaf]


@pytest.mark.parametrize("name", PROGRAMS)
def test_read_as_written(name):
    listing, given = made(PROGRAMS[name])
    text = dumps(listing, given)
    read = loads(text, given)
    assert dumps(read, given) == text
    assert read.inputs == listing.inputs
    assert [s.key for s in read.sources()] == [s.key for s in listing.sources()]
    pairs = list(zip(flat(read.specs), flat(listing.specs), strict=True))
    assert len(pairs) > 0
    for a, b in pairs:
        assert (a.numbers, a.tiles, a.scratch, a.flops, a.work) == (
            b.numbers,
            b.tiles,
            b.scratch,
            b.flops,
            b.work,
        )
        assert [v.type for v in a.buffers] == [v.type for v in b.buffers]
        assert (a.name, a.fused) == (b.name, b.fused)


def test_numbers_keep_what_they_are_made_of():
    listing, given = made(halves)
    read = loads(dumps(listing, given), given)
    for n in (1, 3, 8, 9):
        found = [[symbolic.evaluate(d, {"n": n}) for d in v.shape] for v in read.outputs]
        assert found == [[(n + 1) // 2], [8]]
    shapes = [v.shape for s in read.specs for v in s.buffers]
    assert any("min" in str(shape) for shape in shapes) or any("//" in str(shape) for shape in shapes)


def test_constants_keep_their_bits():
    listing, given = made(packed)
    arrays = [
        v.node.attrs["value"].array.tobytes()
        for s in loads(dumps(listing, given), given).specs
        for v in s.buffers
        if "value" in v.node.attrs
    ]
    assert np.arange(64, dtype="float32").tobytes() in arrays


def test_values_that_are_given_are_the_readers_own():
    listing, given = made(loop)
    others = [
        make_parameter("y", TensorType((N, 8))),
        Variable(np.eye(8), dtype="float32", name="other").leaf,
    ]
    read = loads(dumps(listing, given), others)
    buffers = {v for s in read.specs for v in s.buffers}
    assert set(others) <= buffers
    assert not set(given) & buffers


def test_a_source_that_was_read_has_no_text():
    listing, given = made(packed)
    with pytest.raises(MissingObject, match="no object code of kernel"):
        _ = loads(dumps(listing, given), given).sources()[0].text
