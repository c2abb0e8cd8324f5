"""Convolutions whose rows share what they read: few filters, groups, lines of any width, beside NumPy."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from kcompile import ops
from kcompile.autograd.backward import pull_back
from kcompile.codegen import cpu, sliding_cpu
from kcompile.codegen.sliding_cpu import sliding_of
from kcompile.codegen.sliding_sums_cpu import sliding_sums_of
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.kernels import Contract
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.kernels.host import host
from kcompile.passes import pipeline
from kcompile.schedule.plan import plan_graph
from kcompile.trace.tracer import trace
from tests.helpers import assert_close

LANES = host().lanes("float32")
BATCH = 9  # so that packing the kernel pays
# sample, kernel, options: whether they share
CASES = {
    "one channel": ((9, 28, 1), (3, 3, 1, LANES), {}, True),
    "channels and taps side by side": ((9, 28, 3), (3, 3, 3, LANES), {}, True),
    "a line of no whole tiles": ((7, 31, 3), (3, 3, 3, LANES), {}, True),
    "a short line": ((7, 9, 2), (3, 3, 2, 5), {}, True),
    "a line shorter than a tile": ((9, 6, 2), (3, 3, 2, 5), {}, False),
    "five taps": ((9, 20, 2), (5, 5, 2, 3), {}, True),
    "dilated": ((12, 20, 4), (3, 3, 4, LANES), {"dilation_rate": 2}, True),
    "dilated too far": ((12, 30, 4), (3, 3, 4, LANES), {"dilation_rate": 3}, False),
    "strides along the line": ((12, 21, 3), (3, 3, 3, LANES), {"strides": (1, 2)}, False),
    "strides across it": ((12, 21, 3), (3, 3, 3, LANES), {"strides": (2, 1)}, True),
    "a row": ((40, 4), (3, 4, LANES), {}, True),
    "a volume": ((4, 5, 12, 2), (3, 2, 3, 2, LANES), {}, True),
    "groups": ((9, 16, 32), (3, 3, 2, 32), {}, LANES > 2),
    "groups on lines of no whole tiles": ((9, 19, 64), (3, 3, 4, 64), {}, LANES >= 4),
    "groups of as many as lanes": ((9, 16, 4 * LANES), (3, 3, LANES // 2, 8 * LANES), {}, None),
    "one tap a line": ((9, 20, 3), (3, 1, 3, LANES), {}, False),
    "a row of a block and one": ((259, 3), (3, 3, LANES), {}, None),
    "a line shorter than the window": ((9, 6, 2), (5, 5, 2, LANES), {}, False),
    "more sums than registers hold": ((9, 16, 64), (5, 5, 8, 64), {}, None),
    "a volume of no whole tiles": ((5, 6, 19, 2), (3, 3, 3, 2, LANES), {}, False),
    "a long reduction": ((8, 9, 600), (3, 3, 600, 8), {}, False),
}


def program(case, batch):
    sample, kernel, options, _ = CASES[case]
    inputs = [make_parameter(n, TensorType(s)) for n, s in (("x", (batch, *sample)), ("w", kernel))]
    return trace(lambda x, w: ops.tanh(ops.conv(x, w, **options)), inputs)[0]


def expected(x, w, strides=1, dilation_rate=1):
    """In float64, group by group and tap by tap."""
    rank = w.ndim - 2
    strides, dilation = (np.broadcast_to(n, rank) for n in (strides, dilation_rate))
    groups = x.shape[-1] // w.shape[-2]
    out = [(x.shape[k + 1] - dilation[k] * (w.shape[k] - 1) - 1) // strides[k] + 1 for k in range(rank)]
    found = []
    for part, weights in zip(np.split(x, groups, -1), np.split(w, groups, -1), strict=True):
        y = np.zeros((len(x), *out, weights.shape[-1]))
        for tap in itertools.product(*map(range, w.shape[:rank])):
            first = [tap[k] * dilation[k] for k in range(rank)]
            ends = [a + s * (n - 1) + 1 for a, s, n in zip(first, strides, out, strict=True)]
            window = tuple(slice(a, e, s) for a, e, s in zip(first, ends, strides, strict=True))
            y += part[(slice(None), *window)].astype("f8") @ weights[tap].astype("f8")
        found.append(y)
    return np.tanh(np.concatenate(found, axis=-1))


def contractions(graph):
    plan = plan_graph(pipeline.run(graph), cpu.target())
    return [k.contraction for k in plan.kernels if isinstance(k, Contract)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("batch", [BATCH, symbol("batch")], ids=["fixed", "open"])
def test_values_agree_with_numpy_and_rows_share_where_they_can(case, batch):
    sample, kernel, options, shares = CASES[case]
    rng = np.random.default_rng(len(case))
    x = rng.normal(size=(BATCH, *sample)).astype("float32")
    w = rng.normal(size=kernel).astype("float32") / 8
    graph = program(case, batch)
    (got,) = compile_graph(graph)(x, w)
    assert_close(
        np.asarray(got), expected(x, w, **options).astype("float32"), terms=int(np.prod(kernel[:-1]))
    )
    found = [sliding_of(c) for c in contractions(program(case, batch))]
    if shares is not None:
        assert [f is not None for f in found] == [shares] * len(found)


def filter_gradient(case, batch):
    sample, kernel, options, _ = CASES[case]
    convolve = lambda x, w: ops.conv(x, w, **options)  # noqa: E731
    out = np.asarray(convolve(np.zeros((1, *sample), "float32"), np.zeros(kernel, "float32"))).shape[1:]
    shapes = (("x", (batch, *sample)), ("w", kernel), ("dy", (batch, *out)))
    inputs = [make_parameter(n, TensorType(s)) for n, s in shapes]
    return trace(lambda x, w, dy: pull_back(convolve(x, w), dy, [w]), inputs)[0], out


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("batch", [BATCH, symbol("batch")], ids=["fixed", "open"])
def test_filter_gradients_are_adjoint_and_taps_share_where_they_can(case, batch):
    sample, kernel, options, shares = CASES[case]
    rng = np.random.default_rng(len(case))
    graph, out = filter_gradient(case, batch)
    x, dy = (rng.normal(size=(BATCH, *shape)).astype("float32") for shape in (sample, out))
    (dw,) = compile_graph(graph)(x, np.zeros(kernel, "float32"), dy)
    for _ in range(3):
        w = (rng.normal(size=kernel) * (rng.random(kernel) < 0.2)).astype("float32")
        y = np.arctanh(expected(x, w * 1e-3, **options)) * 1e3
        scale = np.linalg.norm(y) * np.linalg.norm(dy)
        assert abs((y * dy).sum() - (np.asarray(dw, "f8") * w).sum()) < 1e-5 * scale
    found = [sliding_sums_of(c) for c in contractions(filter_gradient(case, batch)[0])]
    if shares:
        assert [f is not None for f in found] == [True] * len(found)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("kernel", [(2, 1), (1, 2), (3, 3)])
@pytest.mark.parametrize("strides", [1, 2])
def test_images_are_read_backwards(axis, kernel, strides):
    """Strides below zero: a window must not be taken for one that slides forward."""
    rng = np.random.default_rng(axis)
    x, shape = rng.normal(size=(BATCH, 8, 9, 4)).astype("float32"), (*kernel, 4, LANES)
    w = rng.normal(size=shape).astype("float32") / 8
    convolve = lambda x, w: ops.conv(ops.flip(x, axis), w, strides=strides)  # noqa: E731
    dy = rng.normal(size=np.asarray(convolve(x, w)).shape).astype("float32")

    def run(x, w, dy):
        y = convolve(x, w)
        return [ops.tanh(y), *pull_back(y, dy, [w])]

    inputs = [make_parameter(n, TensorType(a.shape)) for n, a in (("x", x), ("w", w), ("dy", dy))]
    y, dw = compile_graph(trace(run, inputs)[0])(x, w, dy)
    flipped = np.flip(x, axis)
    assert_close(
        np.asarray(y), expected(flipped, w, strides).astype("float32"), terms=kernel[0] * kernel[1] * 4
    )
    reference = np.zeros(shape)
    for place in np.ndindex(*shape[:3]):
        unit = np.zeros(shape, "float32")
        unit[place] = 1e-3
        reference[place] = (np.arctanh(expected(flipped, unit, strides)) * 1e3 * dy).sum((0, 1, 2))
    assert_close(np.asarray(dw), reference.astype("float32"), terms=BATCH * 72)


def externals(program):
    return {e.name for spec in program.program.specs for e in spec.source.externals}


@pytest.mark.parametrize("batch", [BATCH, symbol("batch")], ids=["fixed", "open"])
@pytest.mark.parametrize("sample", [(9, 14, 64), (34, 35, 64), (30, 64)], ids=str)
def test_what_strips_read_and_store_next_is_prefetched(monkeypatch, sample, batch):
    """Blocks of lines go through all strips, in forward as in the filter gradient."""
    monkeypatch.setattr(sliding_cpu, "host", lambda: replace(host(), l2=1 << 10))
    depth, taps = LANES // 4, (3,) * (len(sample) - 1)
    shape = (*taps, depth, 64)
    rng = np.random.default_rng(len(sample))
    inputs = [make_parameter(n, TensorType(s)) for n, s in (("x", (batch, *sample)), ("w", shape))]
    forward = compile_graph(trace(lambda x, w: ops.tanh(ops.conv(x, w)), inputs)[0])
    x, w = (rng.normal(size=s).astype("float32") for s in ((BATCH, *sample), shape))
    want = expected(x, w / 8).astype("float32")
    assert_close(np.asarray(forward(x, w / 8)[0]), want, terms=int(np.prod(shape[:-1])))
    is_image = len(sample) > 2
    assert externals(forward) >= ({"kc_prefetch_read", "kc_prefetch_write"} if is_image else set())
    dy = rng.normal(size=want.shape).astype("float32")
    inputs.append(make_parameter("dy", TensorType((batch, *dy.shape[1:]))))
    backward = compile_graph(trace(lambda x, w, dy: pull_back(ops.conv(x, w), dy, [w]), inputs)[0])
    (dw,) = backward(x, w, dy)
    y = np.arctanh(expected(x, w * 1e-3)) * 1e3
    scale = np.linalg.norm(y) * np.linalg.norm(dy)
    assert abs((y * dy).sum() - (np.asarray(dw, "f8") * w).sum()) < 1e-5 * scale
    if sample[0] == 34:  # a reduction that is shared out
        assert "kc_prefetch_read" in externals(backward)
