"""Masks through every layer and through models, against the numbers of Keras in tests/parity/masks.*."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile.core import tree
from kcompile.core.config import config
from kcompile.trace import naming
from kcompile.trace.masks import mask_of, set_mask
from kcompile.trace.tracer import trace
from tests.layers.check import TOLERANCE, parameters
from tests.parity import mask_cases

PARITY = Path(__file__).resolve().parents[1] / "parity"
CALLS = mask_cases.masked_calls()


@cache
def fixture() -> dict[str, Any]:
    return json.loads((PARITY / "masks.json").read_text())


@cache
def arrays() -> dict[str, np.ndarray]:
    with np.load(PARITY / "masks.npz") as file:
        return dict(file)


def compare(found: Any, key: str, exists: bool) -> None:
    assert (found is not None) == exists, key
    if exists:
        wanted = arrays()[key]
        assert np.shape(found) == wanted.shape
        np.testing.assert_allclose(np.asarray(found, wanted.dtype), wanted, **TOLERANCE, err_msg=key)


@pytest.mark.parametrize("name", fixture()["layers"])
def test_layer(name):
    wanted = fixture()["layers"][name]
    case, on = CALLS[name]
    layer, inputs = getattr(keras.layers, case.layer)(**case.kwargs), case.inputs()
    layer(*case.arranged(inputs), **case.options)
    layer.set_weights(case.weights([w.shape for w in layer.weights]))
    for k, masked in enumerate(on):
        if masked:
            set_mask(inputs[k], mask_cases.mask_for(inputs[k].shape, k))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if "error" in wanted:
            with pytest.raises(ValueError):
                layer(*case.arranged(inputs), **case.options)
            return
        output = layer(*case.arranged(inputs), **case.options)
    number = wanted["number"]
    compare(output, f"{number}.output", wanted["output"])
    compare(mask_of(output), f"{number}.mask", wanted["mask"])
    assert any("does not support masking" in str(w.message) for w in caught) == wanted["warned"]
    assert [mask_of(x) is not None for x in inputs] == wanted["left"]


@pytest.fixture(params=fixture()["models"])
def case(request):
    naming.reset()
    make, inputs = mask_cases.MODELS[request.param]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make(keras)
        if not model.built:
            model(inputs)
    model.set_weights(mask_cases.weights_like([w.shape for w in model.weights]))
    return request.param, model, inputs, fixture()["models"][request.param]


@pytest.mark.filterwarnings("ignore:Layer")
@pytest.mark.parametrize("target", ["reference", "cpu"])
def test_model(case, target):
    name, model, inputs, wanted = case
    with config(target=target):
        outputs = tree.flatten(model(inputs))
    for k, (output, masked) in enumerate(zip(outputs, wanted["masks"], strict=True)):
        compare(output, f"{name}.output{k}", True)
        compare(mask_of(output), f"{name}.mask{k}", masked)


@pytest.mark.filterwarnings("ignore:Layer")
def test_masks_of_traced_outputs(case):
    _, model, inputs, wanted = case
    several = inputs if isinstance(inputs, list) else [inputs]

    def masks(*values: Any) -> list[Any]:
        outputs = tree.flatten(model(list(values) if isinstance(inputs, list) else values[0]))
        return [mask_of(y) is not None for y in outputs]

    found: list[bool] = []
    trace(lambda *values: found.extend(masks(*values)), parameters(several))
    assert found == wanted["masks"]


def test_config(case):
    _, model, _, wanted = case
    if "config" in wanted:
        assert json.loads(json.dumps(model.get_config())) == wanted["config"]


@pytest.mark.parametrize("target", ["reference", "cpu"])
@pytest.mark.parametrize("name", mask_cases.TRAINED)
def test_losses_and_metrics(name, target):
    with config(target=target):
        found = mask_cases.trained(keras, name)
    for kind, wanted in fixture()["trained"][name].items():
        np.testing.assert_allclose(found[kind], wanted, rtol=1e-5, err_msg=kind)


def test_a_model_called_on_arrays_uses_their_masks():
    model = keras.Sequential([keras.Input((3, 1)), keras.layers.GlobalAveragePooling1D()])
    x = np.array([[[1.0], [2.0], [6.0]]], "float32")
    for _ in range(2):  # the second call is the short way to the compiled program
        assert model(x).tolist() == [[3.0]]
    set_mask(x, np.array([[True, True, False]]))
    assert model(x).tolist() == [[1.5]]
    set_mask(x, None)
    assert model(x).tolist() == [[3.0]]


# Calls that change nothing: some of Keras give the tensor itself, with its mask, the others a new one.
NOTHING_TO_DO = {
    "padding": (keras.layers.ZeroPadding1D(0), False),
    "enlarging": (keras.layers.UpSampling1D(1), False),
    "repeat": (keras.layers.Lambda(lambda x: keras.ops.repeat(x, 1, axis=1)), False),
    "tile": (keras.layers.Lambda(lambda x: keras.ops.tile(x, 1)), False),
    "edges": (keras.layers.Lambda(lambda x: keras.ops.pad(x, 0, mode="edge")), False),
    "copy": (keras.layers.Lambda(keras.ops.copy), False),
    "rolling": (keras.layers.Lambda(lambda x: keras.ops.roll(x, 0, axis=1)), False),
    "cropping": (keras.layers.Cropping1D(0), True),
    "reshape": (keras.layers.Reshape((3, 2)), True),
    "permute": (keras.layers.Permute((1, 2)), True),
    "nothing": (keras.layers.Lambda(lambda x: x), True),
}


@pytest.mark.filterwarnings("ignore:Layer")
@pytest.mark.parametrize("name", NOTHING_TO_DO)
def test_the_mask_of_what_is_not_changed(name):
    layer, is_kept = NOTHING_TO_DO[name]
    data = np.array([[[1, 2], [0, 0], [3, 4]]], "float32")
    assert (mask_of(layer(keras.layers.Masking()(data))) is not None) == is_kept
    x = keras.Input((3, 2))
    model = keras.Model(x, keras.layers.GlobalAveragePooling1D()(layer(keras.layers.Masking()(x))))
    mean = [[2, 3]] if is_kept else [[4 / 3, 2]]
    np.testing.assert_allclose(model(data), mean, rtol=1e-6)
    np.testing.assert_array_equal(layer(data), data)
