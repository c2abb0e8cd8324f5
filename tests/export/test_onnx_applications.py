"""Networks of keras.applications in ONNX: exact, and with no transposes between their convolutions.

The results are those of the operations one by one, so that nothing is compiled.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import kcompile
from kcompile import applications
from kcompile.export.onnx.compare import difference
from kcompile.export.onnx.signature import trace_inference
from kcompile.ir import evaluate
from kcompile.ir.graph import topological
from tests.export.onnx_tools import inferred, ops_of, run

SIZE = 32


@pytest.mark.parametrize(
    ("build", "kwargs", "transposes"),
    [
        (applications.MobileNet, {"alpha": 0.25}, 1),
        (applications.MobileNetV2, {"alpha": 0.35}, 1),
        (applications.MobileNetV3Small, {"alpha": 0.75}, 1),
    ],
)
def test_a_network(build, kwargs, transposes, tmp_path):
    kcompile.utils.set_random_seed(0)
    model = build(weights=None, input_shape=(SIZE, SIZE, 3), classes=5, **kwargs)
    rng = np.random.default_rng(0)
    for w in model.weights:
        if "variance" in w.path:
            w.assign(rng.uniform(0.5, 1.5, w.shape))
        elif len(w.shape) == 1:
            w.assign(rng.normal(0.2, 0.3, w.shape))
    model.export(tmp_path / "m.onnx", verbose=False)
    inferred(tmp_path / "m.onnx")
    x = rng.normal(size=(3, SIZE, SIZE, 3)).astype("float32")
    (found,), (expected,) = run(onnx.load(tmp_path / "m.onnx"), [x]), one_by_one(model, x)
    assert np.ptp(expected) > 1e-3
    assert difference(found, expected) < 1e-4
    assert ops_of(onnx.load(tmp_path / "m.onnx")).count("Transpose") == transposes


def one_by_one(model, x):
    graph = trace_inference(model).graph
    held = {
        node.values[0]: np.asarray(graph.variables[node.attrs["uid"]].array)
        for node in topological(graph.outputs)
        if node.op.name == "variable"
    }
    return evaluate.evaluate(
        graph.outputs, held | {graph.inputs[0]: x}, evaluate.bind_symbols(graph.inputs, [x])
    )
