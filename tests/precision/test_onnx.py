"""Models of every policy as ONNX files, computed by onnxruntime as the library computes them."""

import pytest

import kcompile as keras
from tests.parity import precision_cases as cases

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("model", cases.MODELS)
@pytest.mark.parametrize("policy", [name for name in cases.POLICIES if name != "float32"])
def test_a_file_computes_what_the_model_does(model, policy, tmp_path):
    from kcompile.export.onnx.compare import compare

    path = tmp_path / "model.onnx"
    with cases.policy(keras, policy):
        made = cases.MODELS[model](keras)
        cases.start(made)
        made.export(path, format="onnx", verbose=False)
        compare(made, path)
    stored = {onnx.TensorProto.DataType.Name(t.data_type) for t in onnx.load(path).graph.initializer}
    kind = {"float16": "FLOAT16", "bfloat16": "BFLOAT16", "float64": "DOUBLE"}.get(policy, "FLOAT")
    assert kind in stored
