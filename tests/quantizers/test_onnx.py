"""Quantized models as ONNX files: integer weights stay integers in the file."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile as keras
from tests.parity.quantization_cases import made_model, model_inputs


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.parametrize("name", ["chain_int8", "chain_int4", "reader_int8"])
def test_onnxruntime_gives_the_same(name, tmp_path):
    model, x = made_model(keras, name), model_inputs(name)
    model.export(tmp_path / "model.onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    found = session.run(None, {session.get_inputs()[0].name: x})[0]
    np.testing.assert_allclose(found, model(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode, size", [("int8", 64 * 96), ("int4", 64 * 48)])
def test_kernels_stay_small(mode, size, tmp_path):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(96)])
    model.quantize(mode, filters="dense")
    model.export(tmp_path / "model.onnx", verbose=False)
    stored = onnx.load(tmp_path / "model.onnx").graph.initializer
    kernels = [t for t in stored if t.data_type == onnx.TensorProto.INT8]
    assert size in [int(np.prod(t.dims)) for t in kernels]
    assert not any(int(np.prod(t.dims)) == 64 * 96 for t in stored if t.data_type == onnx.TensorProto.FLOAT)
    x = np.random.default_rng(0).normal(size=(3, 64)).astype("float32")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    found = session.run(None, {session.get_inputs()[0].name: x})[0]
    np.testing.assert_allclose(found, model(x), rtol=1e-4, atol=1e-5)
