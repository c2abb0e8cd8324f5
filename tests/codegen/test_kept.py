"""What a row's sum computes of each element is not computed again for the row's store."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.codegen.expressions import Names
from kcompile.codegen.kept import kept_in_row
from kcompile.codegen.nest import StoreItem
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import Int, symbol
from kcompile.ir import loops
from kcompile.ir.loops import Axis
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace

ROWS, COLUMNS = symbol("rows"), symbol("columns")


def compiled(function, *shapes, dtype="float32"):
    inputs = [make_parameter(f"x{k}", TensorType(s, dtype)) for k, s in enumerate(shapes)]
    return compile_graph(trace(function, inputs)[0], planned=True)


def exponentials(function, *shapes, dtype="float32"):
    """How often kernels' sources compute one."""
    specs = compiled(function, *shapes, dtype=dtype).program.specs
    return sum(spec.source.text.count(" exp(") for spec in specs)


def softmax(x, axis=-1):
    return ops.softmax(x, axis=axis)


def exact(x, axis=-1):
    e = np.exp(x.astype("float64") - x.max(axis, keepdims=True).astype("float64"))
    return e / e.sum(axis, keepdims=True)


@pytest.fixture(autouse=True)
def compiles_anew(monkeypatch):
    """A program from the cache has no sources."""
    monkeypatch.setenv("KCOMPILE_CACHE", "0")


@pytest.mark.parametrize("shape", [(3, 40), (2, 3, 40), (2, 3, 5, 77), (ROWS, 129), (ROWS, 4, 50)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_computes_each_exponential_once(shape, dtype):
    assert exponentials(softmax, shape, dtype=dtype) == 1
    x = np.random.default_rng(0).normal(size=[7 if d is ROWS else d for d in shape]).astype(dtype) * 9
    (y,) = compiled(softmax, shape, dtype=dtype)(x)
    np.testing.assert_allclose(y, exact(x), atol=1e-6 if dtype == "float32" else 1e-14)


def other_row(x):
    return ops.exp(x) / ops.sum(ops.exp(x[::-1]), axis=-1, keepdims=True)


def shorter(x):
    return ops.exp(x[:, :30]) / ops.sum(ops.exp(x), axis=-1, keepdims=True)


TWICE = {
    "a target that rounds": (softmax, [(3, 40)], "bfloat16"),
    "sums down columns": (lambda x: softmax(x, axis=0), [(40, 30)], "float32"),
    "another row's": (other_row, [(3, 40)], "float32"),
    "another length": (shorter, [(3, 40)], "float32"),
}


@pytest.mark.parametrize("name", TWICE)
def test_nothing_is_kept_where_it_is_not_the_same(name):
    function, shapes, dtype = TWICE[name]
    assert exponentials(function, *shapes, dtype=dtype) > 1
    if dtype == "float32":
        arrays = [np.random.default_rng(1).normal(size=s).astype("float32") for s in shapes]
        wanted = function(*arrays)
        for got, want in zip(
            compiled(function, *shapes)(*arrays),
            wanted if isinstance(wanted, tuple) else [wanted],
            strict=True,
        ):
            np.testing.assert_allclose(got, np.asarray(want), rtol=2e-6, atol=1e-7)


ROW, J, K, OTHER, LONGER = Axis(3), Axis(40), Axis(40), Axis(5), Axis(41)
X, TARGET = (make_parameter(name, TensorType((3, 40))) for name in "xy")
HALF = make_parameter("half", TensorType((3, 40), "bfloat16"))


def item(target=TARGET, over=K, more=None):
    """exp(x[i, j]) / sum over k of exp(x[i, k])"""

    def exponential(axis):
        return loops.apply("exp", loops.load(X, (Int.of(ROW), Int.of(axis)), "float32"))

    total = loops.reduction("sum", (over,), exponential(over), None)
    expr = loops.apply("div", exponential(J), total)
    return StoreItem(target, (Int.of(ROW), Int.of(J)), loops.apply("add", expr, more) if more else expr, [])


def kept(item, around=(ROW,)):
    return kept_in_row(item, list(around), J, Names({TARGET: X} if item.target is X else {}))[1]


def test_the_sum_keeps_its_exponentials_in_the_row():
    changed, found = kept_in_row(item(), [ROW], J, Names({}))
    [(total, (part, at))] = found.items()
    assert total.op == "reduce" and part.op == "exp" and at == (Int.of(ROW), Int.of(K))
    own = [p for p in loops.walk(changed.expr) if p.op == "load" and p.attr[0] is TARGET]
    assert [p.attr[1] for p in own] == [(Int.of(ROW), Int.of(J))]


def test_what_forbids_it():
    assert kept(item())
    assert not kept(item(target=X))  # read and written
    assert not kept(item(target=HALF))  # rounds
    assert not kept(item(), around=(ROW, OTHER))  # the sum runs once for several rows
    assert not kept(item(over=LONGER))
    element = loops.load(X, (Int.of(ROW), Int.of(J)), "float32")
    test = loops.apply("lt", element, loops.const(0.0, "float32"), dtype="bool")
    assert not kept(item(more=loops.guard(test, element, loops.const(1.0, "float32"))))


CASES = {
    "scaled": lambda x, y: softmax(x * 0.3) * 2.0 + 1.0,
    "weighted": lambda x, y: ops.exp(x) * y / ops.sum(ops.exp(x) * y, axis=-1, keepdims=True),
    "two sums": lambda x, y: softmax(x) + softmax(y),
    "of sigmoids": lambda x, y: ops.sigmoid(x) / ops.sum(ops.sigmoid(x), axis=-1, keepdims=True),
    "norm of tanh": lambda x, y: (
        ops.tanh(x) * ops.rsqrt(ops.sum(ops.square(ops.tanh(x)), axis=-1, keepdims=True))
    ),
    "masked": lambda x, y: softmax(ops.where(y > 0, x, -1e9)),
    "both axes": lambda x, y: softmax(x, axis=(0, 1)),
    "turned": lambda x, y: ops.transpose(softmax(ops.transpose(x, (0, 2, 1))), (0, 2, 1)),
    "the same for all rows": lambda x, y: ops.exp(y[0]) * x / ops.sum(ops.exp(y[0]), axis=-1, keepdims=True),
    "of what is summed": lambda x, y: softmax(ops.sum(x[:, :, :, None] * y[:, :, None, :], axis=1)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("open_sizes", [False, True])
def test_numbers(name, open_sizes):
    """Beside the same ops one by one."""
    arrays = [np.random.default_rng(k).normal(size=(3, 20, 33)).astype("float32") for k in (3, 4)]
    arrays[1] = np.abs(arrays[1]) if name == "weighted" else arrays[1]
    shape = (ROWS, 20, COLUMNS) if open_sizes else (3, 20, 33)
    (got,) = compiled(CASES[name], shape, shape)(*arrays)
    np.testing.assert_allclose(got, np.asarray(CASES[name](*arrays)), rtol=1e-5, atol=1e-6)
