"""The dtypes that layers return in half precision: computed at once as in a trace.

At once, a layer's numbers are NumPy arrays, and NumPy makes float32 of a bfloat16 array times a number: a
layer that computes with operators instead of ops would return another dtype than its compiled form.
"""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile.core import dtypes
from tests.parity.layer_cases import CASES

# Their dtype is that of indices, or (STFTSpectrogram) not every float one.
OTHERS = ("Hashing", "CategoryEncoding", "STFTSpectrogram")
ONE_OF_EACH = list(
    {c.layer: c for c in reversed(CASES) if "dtype" not in c.kwargs and c.layer not in OTHERS}.values()
)
IMAGES = np.random.default_rng(2).uniform(0, 1, (2, 9, 8, 3)).astype("float32")
DRAWING = [
    ("Dropout", {"rate": 0.5}),
    ("AlphaDropout", {"rate": 0.5}),
    ("GaussianDropout", {"rate": 0.5}),
    ("GaussianNoise", {"stddev": 0.5}),
]
DRAWING_IMAGES = {
    "AugMix": {},
    "RandAugment": {},
    "RandomBrightness": {"factor": 0.2},
    "RandomColorDegeneration": {"factor": 0.4},
    "RandomColorJitter": {"hue_factor": 0.2, "saturation_factor": 0.2},
    "RandomContrast": {"factor": 0.4},
    "RandomElasticTransform": {},
    "RandomErasing": {},
    "RandomFlip": {},
    "RandomGaussianBlur": {},
    "RandomGrayscale": {},
    "RandomHue": {"factor": 0.4},
    "RandomInvert": {},
    "RandomPerspective": {},
    "RandomPosterization": {"factor": 3},
    "RandomRotation": {"factor": 0.2},
    "RandomSaturation": {"factor": 0.4},
    "RandomSharpness": {"factor": 0.4},
    "RandomShear": {"x_factor": 0.2},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomZoom": {"height_factor": 0.2},
    "Solarization": {"addition_factor": 0.3},
}


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16", "float16"])
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=lambda case: case.layer)
def test_a_layer_returns_the_dtype_of_its_trace(case, dtype):
    layer = getattr(keras.layers, case.layer)(**case.kwargs, dtype=dtype)
    shapes = [keras.Input(batch_shape=s, dtype="int32" if case.ints else "float32") for s in case.shapes]
    wanted = layer(*case.arranged(shapes), **case.options)
    found = layer(*case.arranged(case.inputs()), **case.options)
    assert dtypes.standardize(found.dtype) == wanted.dtype
    if case.training:
        found = layer(*case.arranged(case.inputs()), **case.options, training=True)
        assert dtypes.standardize(found.dtype) == wanted.dtype


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
@pytest.mark.parametrize("name, arguments", DRAWING)
def test_random_layers_keep_their_dtype_in_training(name, arguments, dtype):
    layer = getattr(keras.layers, name)(**arguments, dtype=dtype, seed=3)
    found = layer(np.ones((4, 50), "float32"), training=True)
    assert dtypes.standardize(found.dtype) == dtype
    assert np.isfinite(found.astype("float64")).all()
    assert (found != 1).any()


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16", "float16"])
@pytest.mark.parametrize("name", DRAWING_IMAGES)
def test_image_layers_keep_their_dtype(name, dtype):
    layer = getattr(keras.layers, name)(**DRAWING_IMAGES[name], dtype=dtype, seed=3)
    for training in (False, True):
        found = layer(IMAGES, training=training)
        assert dtypes.standardize(found.dtype) == layer.compute_dtype
        assert np.isfinite(found.astype("float64")).all()


@pytest.mark.parametrize(
    "layer, count", [(keras.layers.Average(), 2), (keras.layers.RandomContrast(0.2, seed=1), 1)]
)
def test_means_of_ints_on_arrays_are_float32(layer, count):
    """As in a model, where NumPy's operators of ints and floats would make float64."""
    images = [np.ones((2, 4, 4, 3), "int32")] * count
    found = layer(images if count > 1 else images[0])
    assert found.dtype == np.float32


def test_means_of_ints_under_a_mask_are_float32():
    steps, mask = np.array([[[2], [4], [9]]], "int32"), np.array([[True, True, False]])
    found = keras.layers.GlobalAveragePooling1D()(steps, mask=mask)
    assert found.dtype == np.float32 and found.tolist() == [[3.0]]
