"""KCOMPILE_CHECK: right programs pass, and a kernel that computes something else is named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kcompile import compiler, ops
from kcompile.codegen import cpu
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.errors import CompileError
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.runtime.check import CheckedExecutable
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable

BATCH = symbol("batch")


def step_and_state():
    rng = np.random.default_rng(0)
    w = Variable(rng.normal(size=(9, 33)).astype("float32"), name="w")
    s = Variable(np.zeros((33, 33), "float32"), name="s")

    def step(x):
        h = ops.softmax(ops.matmul(x, w.value))
        s.assign(s * 0.5 + ops.matmul(ops.transpose(h), h))
        w.assign(w - ops.matmul(ops.transpose(x), h) * 0.1)
        return ops.mean(h), h

    return step, (w, s)


def compiled(check):
    step, state = step_and_state()
    graph, _ = trace(step, [make_parameter("x", TensorType((BATCH, 9)))])
    with config(check=check):
        return compile_graph(graph), state


def data(rows=7):
    return np.random.default_rng(1).normal(size=(rows, 9)).astype("float32")


def test_a_right_program_passes_and_computes_the_same():
    checked, checked_state = compiled(True)
    plain, plain_state = compiled(False)
    assert isinstance(checked, CheckedExecutable)
    assert not isinstance(plain, CheckedExecutable)
    for rows in (7, 1, 7):
        for got, want in zip(checked(data(rows)), plain(data(rows)), strict=True):
            np.testing.assert_array_equal(got, want)
    assert checked.repeat([data()], {}, 3) == plain.repeat([data()], {}, 3) == 3
    for got, want in zip(checked_state, plain_state, strict=True):
        np.testing.assert_array_equal(got.numpy(), want.numpy())


def test_repeat_stops():
    checked, _ = compiled(True)
    assert checked.repeat([data()], {}, 3, np.ones(1, np.int64)) == 0


def test_a_wrong_kernel_is_named(monkeypatch):
    def spoiled(plan):
        specs = emit(plan)
        k = next(k for k, s in enumerate(specs) if "tanh" in s.source.text)
        text = specs[k].source.text.replace("tanh(", "sigmoid(")
        specs[k] = dataclasses.replace(specs[k], source=dataclasses.replace(specs[k].source, text=text))
        return specs

    emit = cpu.emit
    monkeypatch.setattr(compiler.cpu, "emit", spoiled)
    x, y = (make_parameter(name, TensorType((5, 4))) for name in "xy")
    graph, _ = trace(lambda x, y: (ops.exp(x), ops.tanh(y) * 2), [x, y])
    with config(check=True):
        program = compile_graph(graph)
    with pytest.raises(CompileError, match=r"kernel \d+ 'multiply' differs .* 20 of 20 elements"):
        program(*[np.ones((5, 4), "float32")] * 2)
