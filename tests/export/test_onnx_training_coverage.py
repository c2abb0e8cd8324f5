"""Training steps in onnxruntime of every trainable layer of the parity cases, and every optimizer."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile
from kcompile import layers, optimizers
from tests.export.onnx_tools import layer_model
from tests.export.test_onnx_training import Runner
from tests.layers.test_layers_like_keras import described
from tests.parity.layer_cases import CASES
from tests.test_onnx_coverage import script

CONFIGURATIONS = 2  # of each layer


def is_trainable(case):
    """By Keras's description: weights to train, one output of floats, and nothing drawn at random?"""
    found = described(case)
    if any("dropout" in name and value for name, value in case.kwargs.items()):
        return False  # ONNX draws other numbers; docs/onnx-training.md
    is_one = not any(isinstance(d, list) for d in found["output_shape"])
    return any(trained for *_, trained in found["weights"]) and is_one and found["output_dtype"] == "float32"


def trainable_cases():
    """Some configurations of each layer that can be trained."""
    seen: dict[str, int] = {}
    for case in CASES:
        if case.layer in script.NOT_EXPORTED or seen.get(case.layer, 0) >= CONFIGURATIONS:
            continue
        if is_trainable(case):
            seen[case.layer] = seen.get(case.layer, 0) + 1
            yield case


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.filterwarnings("ignore:You passed `rms_scaling")
@pytest.mark.parametrize("case", list(trainable_cases()), ids=lambda c: c.name)
def test_layers(case, tmp_path):
    model = layer_model(case)
    model.compile(optimizers.SGD(0.1), "mse")
    model.export(tmp_path / "step.onnx", training=True, verbose=False)
    arrays = case.inputs()
    x = arrays if len(arrays) > 1 else arrays[0]
    y = np.random.default_rng(0).normal(size=np.shape(model(x, training=False))).astype("float32")
    runner = Runner(tmp_path / "step.onnx")
    found = [runner.step(*arrays, y)["loss"] for _ in range(2)]
    np.testing.assert_allclose(found, [model.train_on_batch(x, y) for _ in range(2)], rtol=1e-4)


METHODS = ["SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Adafactor", "Nadam", "Ftrl"]
METHODS += ["Lion", "Lamb", "Muon"]


@pytest.mark.parametrize("name", METHODS)
def test_optimizers(name, tmp_path):
    kcompile.utils.set_random_seed(1)
    model = kcompile.Sequential([kcompile.Input((6,)), layers.Dense(5, activation="tanh"), layers.Dense(3)])
    model.compile(getattr(optimizers, name)(0.01), "mse")
    model.export(tmp_path / "step.onnx", training=True, verbose=False)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(0)
    for _ in range(3):
        x, y = (rng.normal(size=(4, n)).astype("float32") for n in (6, 3))
        assert runner.step(x, y)["loss"] == pytest.approx(model.train_on_batch(x, y), rel=1e-4)
    variables = [*model.weights, *model.optimizer.variables]
    paths = [variable.path for variable in variables]
    for variable in variables:
        if variable.path in runner.state and paths.count(variable.path) == 1:  # Adafactor's r and c share one
            stored = np.asarray(variable.array)
            np.testing.assert_allclose(runner.state[variable.path], stored, rtol=1e-5, atol=1e-7)
