"""Preprocessing layers inside of the graphs of TensorFlow's data pipelines, which call back for numbers.

A stand-in behaves as the library does, so that it need not be installed: tensors of its graph have shapes and
no numbers, and `numpy_function` says what is called when numbers come.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers


class Shape(tuple):
    rank = property(len)


class UnknownShape:
    rank = None


class GraphTensor:
    graph = "a graph"

    def __init__(self, shape, dtype):
        self.shape, self.dtype = shape, SimpleNamespace(name=dtype)

    def set_shape(self, shape):
        self.shape = Shape(shape)


GraphTensor.__module__ = "tensorflow.python.framework.ops"


@pytest.fixture
def calls(monkeypatch):
    """The functions that graphs were told to call."""
    made = []
    module = ModuleType("tensorflow")

    def numpy_function(function, inputs, dtypes):
        made.append(function)
        return [GraphTensor(UnknownShape(), dtype) for dtype in dtypes]

    module.numpy_function, module.as_dtype = numpy_function, lambda name: name
    module.autograph = SimpleNamespace(experimental=SimpleNamespace(do_not_convert=lambda function: function))
    monkeypatch.setitem(sys.modules, "tensorflow", module)
    return made


IMAGES = np.random.default_rng(0).random((3, 6, 5, 2), "float32")
TEXTS = np.array([b"red apple", b"red", b"a pear"], object)


@pytest.mark.parametrize(
    "make, data, dtype",
    [
        (lambda: layers.Rescaling(2.0), IMAGES, "float32"),
        (lambda: layers.CenterCrop(2, 3), IMAGES, "float32"),
        (lambda: layers.CategoryEncoding(4), np.array([[1, 2], [3, 0], [1, 1]]), "int64"),
        (lambda: layers.Discretization(bin_boundaries=[0.3, 0.6]), IMAGES, "float32"),
        (lambda: layers.TextVectorization(vocabulary=["red"], output_sequence_length=3), TEXTS, "string"),
        (lambda: layers.TextVectorization(vocabulary=["red"], output_mode="count"), TEXTS, "string"),
        (
            lambda: layers.TextVectorization(vocabulary=["red"], output_mode="multi_hot", split=None),
            TEXTS[:, None],
            "string",
        ),
        (lambda: layers.Pipeline([layers.Rescaling(2.0)]), IMAGES, "float32"),
        (lambda: layers.StringLookup(vocabulary=["red"], output_mode="one_hot"), TEXTS, "string"),
        (lambda: layers.Hashing(num_bins=4), TEXTS, "string"),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_layer_on_a_tensor_of_a_graph(calls, make, data, dtype, known):
    layer = make()
    found = layer(GraphTensor(Shape((3 if known else None, *data.shape[1:])), dtype))
    (value,) = calls[0](data)
    expected = layer(data)
    np.testing.assert_array_equal(value, expected)
    assert value.dtype == expected.dtype == found.dtype.name
    assert tuple(found.shape) == (3 if known else None, *expected.shape[1:])


@pytest.mark.parametrize(
    "make, element, dtype",
    [
        (lambda: layers.Rescaling([1.0, 2.0], [0.0, 1.0]), np.array([3.0, 4.0], "float32"), "float32"),
        (lambda: layers.MelSpectrogram(num_mel_bins=4, fft_length=64), IMAGES.ravel()[:99], "float32"),
        (lambda: layers.TextVectorization(vocabulary=["red"], output_mode="count"), TEXTS[0], "string"),
        (
            lambda: layers.TextVectorization(vocabulary=["red"], output_sequence_length=3),
            TEXTS[0],
            "string",
        ),
    ],
)
def test_a_layer_on_one_element_of_a_graph(calls, make, element, dtype):
    layer, element = make(), np.asarray(element)
    found = layer(GraphTensor(Shape(element.shape), dtype))
    (value,) = calls[0](element)
    expected = layer(element)
    np.testing.assert_array_equal(value, expected)
    assert value.dtype == expected.dtype == found.dtype.name and tuple(found.shape) == expected.shape


def test_a_pipeline_of_several_layers_in_a_graph(calls):
    pipeline = layers.Pipeline([layers.Rescaling(2.0), layers.RandomFlip(seed=1), layers.CenterCrop(2, 3)])
    found = pipeline(GraphTensor(Shape((None, 6, 5, 2)), "float32"))
    assert len(calls) == 3 and tuple(found.shape) == (None, 2, 3, 2)


def test_images_with_boxes_in_a_graph(calls):
    data = {"images": IMAGES, "labels": np.arange(3)}
    tensors = {
        "images": GraphTensor(Shape((None, 6, 5, 2)), "float32"),
        "labels": GraphTensor(Shape((3,)), "int64"),
    }
    found = layers.RandomFlip(seed=1)(tensors)
    assert set(found) == {"images", "labels"} and tuple(found["images"].shape) == (None, 6, 5, 2)
    values = calls[0](*(data[name] for name in tensors))
    assert [v.shape for v in values] == [(3, 6, 5, 2), (3,)]


def test_a_feature_space_in_a_graph(calls):
    columns = {"n": np.array([1.0, 3.0, 5.0], "float32"), "s": TEXTS}
    space = keras.utils.FeatureSpace(
        {"n": "float_normalized", "s": "string_categorical"}, output_mode="concat"
    )
    space.adapt(columns)
    tensors = {"n": GraphTensor(Shape((None,)), "float32"), "s": GraphTensor(Shape((None,)), "string")}
    found = space(tensors)
    (value,) = calls[0](columns["n"], columns["s"])
    np.testing.assert_array_equal(value, space(columns))
    assert tuple(found.shape) == (None, value.shape[1])
    rows = {"n": GraphTensor(Shape(()), "float32"), "s": GraphTensor(Shape(()), "string")}
    assert tuple(space(rows).shape) == (value.shape[1],)


def test_tensors_of_unknown_rank_are_refused(calls):
    with pytest.raises(ValueError, match="needs tensors of a known rank"):
        layers.Rescaling(2.0)(GraphTensor(UnknownShape(), "float32"))
    assert not calls
