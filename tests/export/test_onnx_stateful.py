"""Stateful layers in ONNX files: what a call leaves behind for the next one goes out and comes in."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile
from kcompile import layers
from kcompile.export.onnx import check
from tests.cli.cli_tools import json_of
from tests.export.onnx_tools import LATEST, inferred, ops_of

LAYERS = {
    "LSTM": lambda: layers.LSTM(4, stateful=True, return_sequences=True),
    "GRU": lambda: layers.GRU(4, stateful=True),
    "RNN": lambda: layers.SimpleRNN(4, stateful=True),
    "Scan": lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], stateful=True),
    "both ways": lambda: layers.Bidirectional(layers.LSTM(4, stateful=True)),
}


def model_of(name, rows=3):
    kcompile.utils.set_random_seed(0)
    return kcompile.Sequential([kcompile.Input(batch_shape=(rows, 5, 2)), LAYERS[name](), layers.Dense(2)])


@pytest.mark.parametrize("opset", [13, 20, LATEST])
@pytest.mark.parametrize("name", LAYERS)
def test_states_go_from_call_to_call(name, opset, tmp_path):
    model, rng = model_of(name), np.random.default_rng(0)
    model.predict(
        rng.normal(size=(3, 5, 2)).astype("float32"), verbose=0
    )  # the file begins where it left off
    model.export(path := tmp_path / "m.onnx", opset_version=opset, verbose=False)
    proto = inferred(path)
    assert name not in ("LSTM", "GRU", "RNN", "Scan") or name in ops_of(proto)
    back = json.loads({p.key: p.value for p in proto.metadata_props}["kcompile.state"])
    assert len(back) == len(_states(model))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (x_name,) = (one.name for one in session.get_inputs())
    names, state = [one.name for one in session.get_outputs()], {}
    assert check(model, path) < 1e-5
    for _ in range(3):
        x = rng.normal(size=(3, 5, 2)).astype("float32")
        found = dict(zip(names, session.run(None, {x_name: x} | state), strict=True))
        np.testing.assert_allclose(found[names[0]], model.predict(x, verbose=0), atol=1e-5)
        state = {name: found[new] for name, new in back.items()}


def _states(model):
    found = model.layers[0].states
    return [x for one in found for x in (one if isinstance(one, (list, tuple)) else [one])]


def test_checking_leaves_the_states(tmp_path):
    model = model_of("GRU")
    model.predict(np.ones((3, 5, 2), "float32"), verbose=0)
    before = [np.array(x) for x in _states(model)]
    model.export(path := tmp_path / "m.onnx", verbose=False)
    check(model, path)
    np.testing.assert_array_equal(before, [np.array(x) for x in _states(model)])
    model.save(saved := tmp_path / "m.keras")
    rows = json_of("export", saved, "-o", path, "--check")["batches"]
    assert [row["batch"] for row in rows] == [3]


def test_a_batch_that_nothing_needs_is_open(tmp_path):
    model = kcompile.Sequential([kcompile.Input(batch_shape=(3, 2)), layers.Dense(2)])
    model.export(path := tmp_path / "m.onnx", verbose=False)
    assert onnx.load(path).graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_the_training_step_of_a_stateful_network(tmp_path):
    model, rng = model_of("GRU"), np.random.default_rng(0)
    model.compile("sgd", "mse")
    model.export(path := tmp_path / "m.onnx", training=True, verbose=False)
    inferred(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = [one.name for one in session.get_inputs()]
    names, state = [one.name for one in session.get_outputs()], {}
    for _ in range(3):
        x, y = (rng.normal(size=s).astype("float32") for s in ((3, 5, 2), (3, 2)))
        found = dict(
            zip(names, session.run(None, dict(zip(given, (x, y), strict=True)) | state), strict=True)
        )
        state = {name.removesuffix(".next"): a for name, a in found.items() if name.endswith(".next")}
        np.testing.assert_allclose(found["loss"], model.train_on_batch(x, y), rtol=1e-5)
