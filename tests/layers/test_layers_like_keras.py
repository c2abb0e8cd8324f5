"""Every layer against the contract, and against the numbers of Keras in tests/parity/layers."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile.trace import naming
from tests.layers.check import TOLERANCE, check_layer, gradients_of, traced
from tests.parity.layer_cases import CASES, FAMILIES, Case

PARITY = Path(__file__).resolve().parents[1] / "parity" / "layers"
FAMILY = {case.name: family for family, cases in FAMILIES.items() for case in cases}
cases = pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])


@cache
def descriptions(family: str) -> dict[str, Any]:
    return json.loads((PARITY / f"{family}.json").read_text())


@cache
def numbers(family: str) -> dict[str, np.ndarray]:
    with np.load(PARITY / f"{family}.npz") as file:
        return dict(file)


def described(case: Case) -> dict[str, Any]:
    return descriptions(FAMILY[case.name])[case.name]


def expected(case: Case) -> dict[str, np.ndarray]:
    prefix = f"{described(case)['number']}."
    return {
        key.removeprefix(prefix): a for key, a in numbers(FAMILY[case.name]).items() if key.startswith(prefix)
    }


def made(case: Case) -> Any:
    """The layer with the weights that Keras had."""
    layer = getattr(keras.layers, case.layer)(**case.kwargs)
    layer(*case.arranged(case.inputs()), **call_of(case))
    layer.set_weights(case.weights([w.shape for w in layer.weights]))
    return layer


def call_of(case: Case) -> dict[str, Any]:
    mask = case.mask_array()
    return case.options if mask is None else {"mask": mask}


@cases
def test_contract(case):
    shape = expected(case)["inference"].shape
    layer, call = getattr(keras.layers, case.layer), call_of(case)
    check_layer(layer, case.kwargs, case.inputs(), shape, arranged=case.arranged, **call)


@cases
def test_description(case):
    naming.reset()
    layer = getattr(keras.layers, case.layer)(**case.kwargs)
    kind = "int32" if case.ints else "float32"
    placeholders = [keras.Input(s[1:], dtype=kind) for s in case.shapes]
    output = layer(*case.arranged(placeholders), **case.options)
    wanted = described(case)
    assert json.loads(json.dumps(layer.get_config())) == wanted["config"]
    assert json.loads(json.dumps(layer.get_build_config())) == wanted["build_config"]
    found = [[w.path.removeprefix(layer.name + "/"), list(w.shape), w.trainable] for w in layer.weights]
    assert found == wanted["weights"]
    assert list(output.shape) == wanted["output_shape"]
    assert output.dtype == wanted["output_dtype"]
    assert repr(layer) == wanted["repr"]
    assert layer.supports_masking == wanted["supports_masking"]


@cases
def test_inference(case):
    layer, wanted = made(case), expected(case)
    np.testing.assert_allclose(
        layer(*case.arranged(case.inputs()), **call_of(case)), wanted["inference"], **TOLERANCE
    )
    if "losses" in wanted:
        np.testing.assert_allclose([float(x) for x in layer.losses], wanted["losses"], **TOLERANCE)


@pytest.mark.parametrize("eager", [True, False], ids=["eager", "traced"])
@pytest.mark.parametrize("case", [c for c in CASES if c.training], ids=lambda c: c.name)
def test_training(case, eager):
    layer, wanted, inputs = made(case), expected(case), case.inputs()
    call = {**call_of(case), "training": True}
    if eager:
        outputs = layer(*case.arranged(inputs), **call)
    else:
        [outputs] = traced(lambda *xs, **more: layer(*case.arranged(list(xs)), **more), inputs, call)
    np.testing.assert_allclose(outputs, wanted["training"], **TOLERANCE)
    for k, weight in enumerate(layer.get_weights()):
        np.testing.assert_allclose(weight, wanted[f"after{k}"], **TOLERANCE)


@pytest.mark.parametrize("case", [c for c in CASES if c.differentiable], ids=lambda c: c.name)
def test_gradients(case):
    layer, wanted = made(case), expected(case)
    call = {**call_of(case), **({"training": True} if case.training else {})}
    found = gradients_of(layer, case.inputs(), call, case.arranged)
    named = {key: value for key, value in wanted.items() if "gradient" in key}
    assert named
    for name, gradient in named.items():
        scale = max(1.0, float(np.abs(gradient).max()))
        actual = found.get(name, np.zeros_like(gradient))
        np.testing.assert_allclose(actual / scale, gradient / scale, **TOLERANCE, err_msg=name)
