"""Recurrent models in onnxruntime, at several batch sizes and lengths."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile as keras
from kcompile import ops
from kcompile.core import tree
from tests.export.onnx_tools import LATEST, graph_of, model_of, ops_of, run
from tests.layers.check import TOLERANCE
from tests.parity import recurrent_cases as cases

SIZES = ((1, 6), (3, 6), (17, 4))  # batch, steps


def exported(model, path, opset=18):
    model.export(path, format="onnx", opset_version=opset, verbose=False)
    return onnx.load(path)


def assert_same(model, path, inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    arrays = tree.flatten(inputs)
    found = session.run(None, dict(zip(sorted(names), arrays, strict=True)))
    for got, wanted in zip(found, tree.flatten(model(inputs)), strict=True):
        np.testing.assert_allclose(got, wanted, **TOLERANCE)


@pytest.mark.parametrize("opset", [13, 18, LATEST])
@pytest.mark.parametrize("name", cases.BUILDERS)
def test_models(name, opset, tmp_path):
    model = cases.BUILDERS[name](keras)
    model.set_weights(cases.weights_like([w.shape for w in model.weights]))
    path = tmp_path / "model.onnx"
    exported(model, path, opset)
    for batch, steps in SIZES:
        fixed = name in ("own_backward_layer", "regularized")
        assert_same(model, path, cases.inputs_of(name, batch, cases.STEPS if fixed else steps))


def test_while_loops_and_loops_without_slices():
    def function(x):
        halved = ops.while_loop(lambda v: ops.sum(v) > 1.0, lambda v: v * 0.5, x)
        return ops.fori_loop(0, 3, lambda i, v: v + ops.cast(i, "float32") * x, halved)

    x = np.full((3, 2), 4.0, "float32")
    model = model_of(graph_of(function, [x], batch=True))
    assert {"Loop", "Scan"} <= set(ops_of(model))
    for rows in (1, 3):
        [found] = run(model, [x[:rows]])
        np.testing.assert_allclose(found, function(x[:rows]))


def test_loops_in_loops_read_what_is_outside():
    def function(x, w):
        def outer(c, row):
            inner = ops.scan(lambda d, _: (ops.tanh(d @ w + row), d), c, length=2)
            return inner[0], inner[1][1] * ops.sum(w)

        return ops.scan(outer, x[0], x, reverse=True)

    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s).astype("float32") for s in ((4, 3, 2), (2, 2))]
    found = run(model_of(graph_of(function, arrays)), arrays)
    for got, wanted in zip(found, function(*arrays), strict=True):
        np.testing.assert_allclose(got, wanted, **TOLERANCE)
