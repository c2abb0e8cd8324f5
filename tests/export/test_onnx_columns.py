"""Products whose columns or rows follow the order in which their elements are made or read."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import Input, Model, layers, ops
from kcompile.export.onnx import check
from tests.export.onnx_tools import IMAGE, SEQUENCE, conv, exported, graph_of, model_of, ops_of, run

BLOCKS = {
    "flat": (
        IMAGE,
        lambda x: layers.Dense(3)(layers.Flatten()(layers.MaxPooling2D((2, 4))(conv(x)))),
        "Transpose Conv MaxPool Reshape Gemm",
    ),
    "flat, without a bias": (
        SEQUENCE,
        lambda x: layers.Dense(3, use_bias=False)(layers.Flatten()(layers.Conv1D(5, 2)(x))),
        "Transpose Conv Reshape MatMul",
    ),
    "flat for two readers": (
        SEQUENCE,
        lambda x: (lambda y: layers.Dense(5)(y) + ops.max(y, axis=1, keepdims=True))(
            layers.Flatten()(layers.Conv1D(5, 2)(x))
        ),
        "Transpose Conv Reshape Gemm ReduceMax Add",
    ),
    "flat for a reader that minds the order": (
        SEQUENCE,
        lambda x: (lambda y: layers.Dense(25)(y) + ops.cumsum(y, axis=1))(
            layers.Flatten()(layers.Conv1D(5, 2)(x))
        ),
        "Transpose Conv Transpose Reshape Gemm CumSum Add",
    ),
    "flat for two products": (
        IMAGE,
        lambda x: (lambda y: layers.Dense(3)(y) + layers.Dense(3, "tanh")(layers.ReLU()(y)))(
            layers.Flatten()(conv(x))
        ),
        "Transpose Conv Reshape Gemm Relu Gemm Tanh Add",
    ),
    "flat, normalized and weighed": (
        SEQUENCE,
        lambda x: (lambda y: layers.Dense(2)(y * layers.Dense(20, "sigmoid")(y)))(
            layers.LayerNormalization()(layers.Flatten()(layers.Conv1D(4, 2)(x)))
        ),
        "Transpose Conv Reshape LayerNormalization Gemm Sigmoid Mul Gemm",
    ),
    "flat, weighed by one number": (
        SEQUENCE,
        lambda x: (lambda y: layers.Dense(2)(y * layers.Dense(1, "sigmoid")(y)))(
            layers.Flatten()(layers.Conv1D(4, 2)(x))
        ),
        "Transpose Conv Reshape Gemm Sigmoid Mul Gemm",
    ),
    "decoder": (
        (5,),
        lambda x: layers.Conv2DTranspose(2, 3, strides=2)(
            layers.Reshape((4, 2, 3))(layers.Dense(24, "relu")(x))
        ),
        "Gemm Relu Reshape ConvTranspose Transpose",
    ),
    "decoder, normalized and enlarged": (
        (5,),
        lambda x: layers.Conv2D(2, 3)(
            layers.UpSampling2D(2)(
                layers.LeakyReLU()(
                    layers.BatchNormalization()(
                        layers.Reshape((4, 2, 3))(layers.Dense(24, use_bias=False)(x))
                    )
                )
            )
        ),
        "MatMul Reshape BatchNormalization LeakyRelu Resize Conv Transpose",
    ),
    "decoder, normalized before it has its shape": (
        (5,),
        lambda x: layers.Conv1D(2, 3)(
            layers.Reshape((8, 3))(layers.BatchNormalization()(layers.Dense(24, "silu", use_bias=False)(x)))
        ),
        "MatMul Sigmoid Mul BatchNormalization Reshape Conv Transpose",
    ),
    "decoder of two branches": (
        (5,),
        lambda x: (lambda y: layers.Conv2DTranspose(2, 3)(y) + layers.Conv2DTranspose(2, 3)(ops.tanh(y)))(
            layers.Reshape((4, 2, 3))(layers.Dense(24)(x) + layers.Dense(24)(layers.Dense(24)(x)))
        ),
        "Gemm Gemm Gemm Add Reshape ConvTranspose Tanh ConvTranspose Add Transpose",
    ),
    "rows of other order": (
        (6, 5),
        lambda x: ops.transpose(layers.Reshape((6, 4, 9))(layers.Dense(36, "relu")(x)), (0, 1, 3, 2)),
        "MatMul Add Relu Reshape",
    ),
    "decoder beside images": (
        IMAGE,
        lambda x: conv(
            ops.concatenate(
                [layers.Reshape(IMAGE)(layers.Dense(192)(ops.max(x, axis=(1, 2)))), x, ops.flip(x, 1)],
                axis=-1,
            )
        ),
        "ReduceMax Gemm Reshape Slice Concat Transpose Conv Transpose",
    ),
    "encoder and decoder": (
        IMAGE,
        lambda x: layers.Conv2DTranspose(3, 3, strides=2, padding="same")(
            layers.Reshape((4, 4, 4))(layers.Dense(64, "relu")(layers.Flatten()(conv(x, strides=2))))
        ),
        "Transpose Conv Reshape Gemm Relu Reshape ConvTranspose Transpose",
    ),
    "rows of an image, one after the other": (
        IMAGE,
        lambda x: layers.LSTM(3)(layers.Dense(5, "relu")(layers.Reshape((8, 32))(conv(x)))),
        "Transpose Conv Transpose Reshape MatMul Add Relu LSTM Squeeze",
    ),
    "rows of an image, both ways": (
        IMAGE,
        lambda x: layers.Dense(5, "softmax")(
            layers.Bidirectional(layers.GRU(3, return_sequences=True))(layers.Reshape((8, 32))(conv(x)))
        ),
        "Transpose Conv Transpose Reshape GRU Transpose Reshape MatMul Add Softmax",
    ),
    "decoder, normalized, of channels last": (
        (5,),
        lambda x: layers.BatchNormalization()(layers.Reshape((4, 2, 3))(layers.Dense(24)(x))),
        "Gemm Reshape Mul Add",
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks(name, tmp_path):
    shape, function, operators = BLOCKS[name]
    assert exported(shape, function, tmp_path / "m.onnx") == operators.split()


def test_normalized_rows_keep_their_places(tmp_path):
    """As many rows as each has elements, and each row with statistics of its own."""
    x = Input((4, 5))
    y = layers.Reshape((4, 2, 2))(layers.BatchNormalization(axis=1)(layers.Dense(4)(x)))
    model = Model(x, ops.transpose(y, (0, 1, 3, 2)))
    model.set_weights([np.random.default_rng(k).uniform(1, 2, w.shape) for k, w in enumerate(model.weights)])
    model.export(tmp_path / "m.onnx", verbose=False)
    assert check(model, tmp_path / "m.onnx") < 1e-5


def test_what_is_added_to_a_product_is_none_of_its_rows():
    x, row = (np.random.default_rng(0).normal(size=shape).astype("float32") for shape in ((3, 6), (3, 2)))
    weights = np.random.default_rng(1).normal(size=(6, 6)).astype("float32")

    def function(x, row):
        return ops.matmul(x, weights) + ops.reshape(ops.transpose(row), (6,))

    model = model_of(graph_of(function, [x, row]))
    np.testing.assert_allclose(run(model, [x, row])[0], function(x, row), rtol=1e-5, atol=1e-5)
    assert ops_of(model) == ["Transpose", "Reshape", "Gemm"]


def test_what_is_added_to_a_product_keeps_its_order():
    shapes = (2, 4, 3), (2, 5), (8, 1)
    x, z, row = (np.random.default_rng(0).normal(size=shape).astype("float32") for shape in shapes)
    kernel, matrix, last = (
        np.random.default_rng(1).normal(size=shape).astype("float32") for shape in ((1, 3, 2), (5, 8), (8, 3))
    )

    def function(x, z, row):
        flat = ops.reshape(ops.conv(x, kernel), (2, 8))
        return ops.matmul(flat + (ops.matmul(z, matrix) + ops.reshape(ops.cumsum(row, axis=0), (8,))), last)

    model = model_of(graph_of(function, [x, z, row]))
    np.testing.assert_allclose(run(model, [x, z, row])[0], function(x, z, row), rtol=1e-5, atol=1e-5)


def test_rows_of_open_length(tmp_path):
    def function(x):
        return ops.cumsum(layers.Flatten()(layers.Conv1D(5, 2)(x)), axis=1)

    found = exported((None, 4), function, tmp_path / "m.onnx")
    assert found == ["Transpose", "Conv", "Transpose", "Reshape", "CumSum"]


def test_rows_of_two_open_dimensions(tmp_path):
    """Which no constant shape can make of one."""
    matrix = np.random.default_rng(0).normal(size=(5, 24)).astype("float32")

    def decoded(x):
        rows = ops.matmul(ops.reshape(x, (-1, 5)), matrix)
        images = ops.reshape(rows, (ops.shape(x)[0], ops.shape(x)[1], 4, 2, 3))
        return ops.transpose(images, (0, 1, 4, 2, 3))

    assert exported((None, 5), layers.Lambda(decoded), tmp_path / "m.onnx").count("Transpose") == 1


@pytest.mark.parametrize("opset", [13, 20])
def test_one_layer_in_two_orders(opset, tmp_path):
    """What is decoded with its elements in one order is read with them in another."""
    dense, x = layers.Dense(24), Input((24,))
    image, again = layers.Reshape((4, 3, 2))(dense(x)), layers.Reshape((2, 4, 3))(dense(ops.tanh(x)))
    flat = [layers.Flatten()(layers.Conv2D(2, 1)(image)), layers.Flatten()(layers.Conv2D(3, 1)(again))]
    model = Model(x, [dense(flat[0]), dense(flat[1]), layers.Dense(2)(flat[1])])
    model.set_weights([np.random.default_rng(k).normal(size=w.shape) for k, w in enumerate(model.weights)])
    model.export(tmp_path / "m.onnx", opset_version=opset, verbose=False)
    assert check(model, tmp_path / "m.onnx") < 1e-5
