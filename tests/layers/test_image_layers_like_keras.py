"""Image layers with the transformations that Keras drew, against what Keras made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile.core import tree
from kcompile.trace import naming
from tests.parity import packed
from tests.parity.image_layer_cases import CASES, CONFIGS, ImageCase

PARITY = Path(__file__).resolve().parents[1] / "parity"
DESCRIBED = json.loads((PARITY / "image_layers.json").read_text())
ARRAYS = packed.load(PARITY / "image_layers.npz")
NEAR = {"rtol": 2e-5, "atol": 2e-5}
cases = pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])

# Cases whose results are not Keras's, each with the reason.
DIFFERENT: dict[str, str] = {}


def layer_of(case: ImageCase) -> Any:
    naming.reset()
    return getattr(keras.layers, case.layer)(**case.arguments())


def expected(case: ImageCase) -> dict[str, Any]:
    return packed.put_together(DESCRIBED[case.name]["results"], ARRAYS[case.name])


def assert_same(actual: Any, wanted: Any, where: str = "") -> None:
    """Equal structures, dtypes and numbers."""
    if isinstance(wanted, dict):
        assert actual.keys() == wanted.keys(), where
        for key, value in wanted.items():
            assert_same(actual[key], value, f"{where}/{key}")
        return
    actual = np.asarray(actual)
    assert (actual.shape, actual.dtype) == (wanted.shape, wanted.dtype), where
    scale = max(1.0, float(np.abs(wanted.astype("float64")).max(initial=0)))
    np.testing.assert_allclose(
        actual.astype("float64") / scale, wanted.astype("float64") / scale, **NEAR, err_msg=where
    )


@pytest.mark.parametrize("case", [*CASES, *CONFIGS], ids=lambda c: c.name)
def test_config(case):
    layer = layer_of(case)
    assert json.loads(json.dumps(layer.get_config())) == DESCRIBED[case.name]["config"]
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


@cases
def test_a_transformation_of_keras_gives_the_numbers_of_keras(case):
    layer, wanted, data = layer_of(case), expected(case), case.data()
    single = "single_" if case.single else ""
    methods = {
        "images": "transform_single_image" if single else "transform_images",
        "labels": "transform_labels",
        "bounding_boxes": "transform_bounding_boxes",
        "segmentation_masks": "transform_segmentation_masks",
    }
    for name, result in wanted["training"].items():
        found = getattr(layer, methods[name])(
            data[name], transformation=wanted["transformation"], training=True
        )
        assert_same(found, result, name)


@cases
def test_inference(case):
    assert_same(layer_of(case)(case.data()["images"], training=False), expected(case)["inference"])


def form_of(x: Any) -> Any:
    """What a transformation is made of."""
    if isinstance(x, dict):
        return {k: form_of(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [form_of(v) for v in x]
    return (x.shape, x.dtype) if isinstance(x, (np.ndarray, np.generic)) else x


@cases
def test_transformations_have_the_form_of_keras(case):
    if case.layer == "AugMix":
        pytest.skip("which layers are in a chain is drawn")
    layer, data = layer_of(case), case.data()
    drawn = layer.get_random_transformation(data, training=True)
    assert form_of(drawn) == form_of(expected(case)["transformation"])


@cases
def test_a_call_gives_what_keras_gives_in_form(case):
    layer, data = layer_of(case), case.data()
    found = layer(data)
    wanted = expected(case)["training"]
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        got, want = tree.flatten(found[name]), tree.flatten(value)
        if name == "images" or not case.single:
            assert [(g.shape, g.dtype) for g in got] == [(w.shape, w.dtype) for w in want], name
