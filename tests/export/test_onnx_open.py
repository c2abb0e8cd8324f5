"""Files of models whose open dimensions meet known ones: onnxruntime broadcasts as the model does."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from kcompile.export import onnx as onnx_export
from tests.models.test_open_broadcasts import CASES, trained_model


def run(path, arrays):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {i.name: a for i, a in zip(session.get_inputs(), arrays, strict=True)})[0]


@pytest.mark.parametrize("name", CASES)
def test_files_take_what_the_model_takes(name, tmp_path):
    make, reference, sizes = CASES[name]
    onnx_export.export_onnx(make(), path := tmp_path / "open.onnx", verbose=False)
    rng = np.random.default_rng(0)
    for shapes in sizes:
        arrays = [rng.normal(size=s).astype("float32") for s in shapes]
        np.testing.assert_allclose(run(path, arrays), reference(*arrays), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("steps", [5, 1])
def test_a_network_with_such_a_dimension(steps, tmp_path):
    model, rng = trained_model(), np.random.default_rng(1)
    onnx_export.export_onnx(model, path := tmp_path / "open.onnx", verbose=False)
    x = [rng.normal(size=(6, n, 4)).astype("float32") for n in (steps, 5)]
    np.testing.assert_allclose(run(path, x), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    assert onnx_export.check(model, path) < 1e-5
