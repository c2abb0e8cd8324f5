"""Quantized layers, LoRA and the functions of `quantizers` against the numbers of Keras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from tests.layers.check import TOLERANCE, gradients_of, traced
from tests.parity.quantization_cases import (
    CASES,
    MODELS,
    attention,
    function_results,
    made_model,
    model_inputs,
)

FOLDER = Path(__file__).resolve().parents[1] / "parity" / "quantization"
DESCRIBED = json.loads((FOLDER / "layers.json").read_text())


def loaded(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz") as file:
        return dict(file)


FUNCTIONS, LAYERS, TRAINED = loaded("functions"), loaded("layers"), loaded("models")
# One of each form; the others differ in Python alone.
COMPILED = (
    *("dense_int8", "dense_int8_bfloat16", "dense_int4_blocks", "dense_int4_channels_activations"),
    *("dense_float8", "einsum_int8_heads", "einsum_int4", "embedding_int8", "embedding_int4_blocks"),
    *("dense_lora_int8", "conv2d_lora", "reversible_int8_tied=True_reverse=True"),
    *("reversible_int4_tied=False_reverse=True",),
)
KNOWN = [name for name in CASES if "fails" not in DESCRIBED[name]]
known = pytest.mark.parametrize("name", KNOWN)


def plain(x: Any) -> np.ndarray:
    array = np.asarray(x)
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def tolerance(name: str) -> dict[str, float]:
    """bfloat16 has three digits; sums differ in the last of them."""
    return {"rtol": 2e-2, "atol": 2e-2} if "bfloat16" in name else TOLERANCE


RESULTS = function_results(keras, np.asarray)


@pytest.mark.parametrize("name", RESULTS)
def test_functions(name):
    found = RESULTS[name]
    for k, value in enumerate(found):
        wanted = FUNCTIONS[f"{name}.{k}"]
        np.testing.assert_allclose(
            plain(value).astype("float64"), wanted.astype("float64"), rtol=1e-6, atol=1e-7
        )
        assert "float" in str(wanted.dtype) or np.asarray(value).dtype == wanted.dtype or k in (1, 2)


@known
def test_description(name):
    layer, wanted = CASES[name].made(keras, name), DESCRIBED[name]
    config = json.loads(json.dumps(layer.get_config()))
    assert config | {"name": ""} == wanted["config"] | {"name": ""}
    assert [[w.name, list(w.shape), w.dtype, w.trainable] for w in layer.weights] == wanted["weights"]
    assert repr(layer.dtype_policy) == wanted["repr"]


@known
def test_weights_and_what_files_hold(name):
    layer = CASES[name].made(keras, name)
    store: dict[str, np.ndarray] = {}
    layer.save_own_variables(store)
    stored = {key for key in LAYERS if key.startswith(f"{name}.stored")}
    assert {f"{name}.stored{key}" for key in store} == stored
    for k, weight in enumerate(layer.weights):
        np.testing.assert_allclose(plain(weight), LAYERS[f"{name}.weight{k}"], rtol=1e-6, atol=1e-7)
    for key, value in store.items():
        np.testing.assert_allclose(plain(value), LAYERS[f"{name}.stored{key}"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("run", ["eager", "traced"])
@known
def test_outputs(name, run):
    case = CASES[name]
    layer, x = case.made(keras, name), case.inputs()
    y = layer(x, **case.call) if run == "eager" else traced(layer, [x], case.call)[0]
    np.testing.assert_allclose(plain(y), LAYERS[f"{name}.output"], **tolerance(name))


@pytest.mark.compiled
@pytest.mark.parametrize("name", COMPILED)
def test_compiled(name):
    case = CASES[name]
    layer = case.made(keras, name)
    y = keras.jit(lambda x: layer(x, **case.call))(case.inputs())
    np.testing.assert_allclose(plain(y), LAYERS[f"{name}.output"], **tolerance(name))


@known
def test_gradients(name):
    case = CASES[name]
    layer = case.made(keras, name)
    call = {**case.call, **({"training": True} if layer.quantization_mode == "float8" else {})}
    found = gradients_of(layer, [case.inputs()], call)
    wanted = {key.removeprefix(f"{name}."): a for key, a in LAYERS.items() if key.startswith(f"{name}.")}
    wanted = {key: a for key, a in wanted.items() if "gradient" in key}
    wanted["input_gradient0"] = wanted.pop("input_gradient", None)
    for key, value in wanted.items():
        if value is not None and (key in found or np.any(value)):
            size = max(1.0, float(np.abs(value).max()))
            np.testing.assert_allclose(plain(found[key]) / size, value / size, **tolerance(name))


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.parametrize("name", MODELS)
def test_models_of_keras(name, tmp_path):
    x, wanted, file = model_inputs(name), TRAINED[f"{name}.output"], FOLDER / f"{name}.keras"
    ours = made_model(keras, name)
    np.testing.assert_allclose(ours.predict(x, verbose=0), wanted, **TOLERANCE)
    for weight in ours.weights:
        weight.assign(np.zeros(weight.shape))
    ours.load_weights(file)
    np.testing.assert_allclose(ours(x), wanted, **TOLERANCE)
    if name.startswith("reader"):
        return  # the config of attention does not say that the layers inside are quantized, in Keras neither
    np.testing.assert_allclose(keras.saving.load_model(file)(x), wanted, **TOLERANCE)
    ours.save(tmp_path / "ours.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "ours.keras")(x), ours(x))


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_a_map_of_policies_remembers_the_layers_inside_of_others(tmp_path):
    policies = keras.dtype_policies.DTypePolicyMap("float32")
    model, x = attention(keras, policies), model_inputs("reader")
    model.quantize("int8")
    assert policies["attention/query"].name == "int8_from_float32"
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(x), model(x))


def test_a_policy_for_layers_inside_builds_them_quantized():
    policies = keras.dtype_policies.DTypePolicyMap(
        "float32", {"attention/.*": keras.dtype_policies.get("int8_from_float32")}
    )
    model = attention(keras, policies)
    assert [w.dtype for w in model.get_layer("attention").weights].count("int8") == 4


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.parametrize("name", MODELS)
def test_training_what_is_left(name):
    model, x = made_model(keras, name), model_inputs(name)
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    for _ in range(2):
        model.train_on_batch(x, np.ones(TRAINED[f"{name}.output"].shape, "float32"))
    for k, weight in enumerate(model.get_weights()):
        np.testing.assert_allclose(plain(weight), TRAINED[f"{name}.trained{k}"], rtol=1e-4, atol=1e-5)
