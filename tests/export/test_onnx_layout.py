"""Transposes in exported models: none that could be saved, in blocks of which networks are made."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import layers, ops
from kcompile.export.onnx import shapes
from tests.export.onnx_tools import IMAGE, SEQUENCE, conv, exported, graph_of, model_of, ops_of, run


def squeezed(x, reshaped):
    y = conv(x)
    s = (
        layers.Reshape((1, 1, 4))(layers.GlobalAveragePooling2D()(y))
        if reshaped
        else ops.mean(y, axis=(1, 2))
    )
    s = layers.Dense(4, "sigmoid")(layers.Dense(2, "relu")(s))
    return conv(y * (s if reshaped else layers.Reshape((1, 1, 4))(s)))


def squeezed_in_place(x):
    y = conv(x)
    s = layers.GlobalAveragePooling2D(keepdims=True)(y)
    return conv(y * layers.Dense(4, "sigmoid")(layers.Dense(2, "relu")(s)))


def residual(x, behind=True):
    y = conv(layers.ReLU()(conv(x)))
    return layers.ReLU()(y + x if behind else x + y)


def shuffled(x):
    y = ops.reshape(conv(x), (-1, 8, 8, 2, 2))
    return conv(ops.reshape(ops.transpose(y, (0, 1, 2, 4, 3)), (-1, 8, 8, 4)))


def attended(x):
    """Attention over the places of an image."""
    y = conv(x)
    steps = layers.Reshape((64, 4))(layers.ReLU()(y))
    return conv(y + layers.Reshape((8, 8, 4))(layers.MultiHeadAttention(2, 2)(steps, steps)))


def both_ways(x):
    """What one reader needs with channels last, the other has so too."""
    y = conv(x)
    return layers.LayerNormalization()(y) + ops.relu(y)


def frames(x):
    wrapped = layers.TimeDistributed
    y = wrapped(layers.MaxPooling2D())(wrapped(layers.ReLU())(wrapped(layers.Conv2D(4, 3))(x)))
    return layers.LSTM(3)(wrapped(layers.GlobalAveragePooling2D())(y))


BLOCKS = {
    "prelu": (IMAGE, lambda x: conv(layers.PReLU()(conv(x))), "Transpose Conv PRelu Conv Transpose"),
    "prelu of channels": (
        IMAGE,
        lambda x: layers.PReLU(shared_axes=[1, 2])(conv(x)),
        "Transpose Conv PRelu Transpose",
    ),
    "squeeze and excite": (
        IMAGE,
        lambda x: squeezed(x, False),
        "Transpose Conv ReduceMean Gemm Relu Gemm Sigmoid Reshape Mul Conv Transpose",
    ),
    "squeeze and excite, reshaped first": (
        IMAGE,
        lambda x: squeezed(x, True),
        "Transpose Conv ReduceMean Reshape MatMul Add Relu MatMul Add Sigmoid Reshape Mul Conv Transpose",
    ),
    "squeeze and excite in place": (
        IMAGE,
        squeezed_in_place,
        "Transpose Conv ReduceMean Conv Relu Conv Sigmoid Mul Conv Transpose",
    ),
    "an image and its convolution": ((8, 8, 4), residual, "Transpose Conv Relu Conv Add Relu Transpose"),
    "a convolution and its image": (
        (8, 8, 4),
        lambda x: residual(x, False),
        "Transpose Conv Relu Conv Add Relu Transpose",
    ),
    "an image beside its convolution": (
        IMAGE,
        lambda x: conv(ops.concatenate([x, conv(x)], axis=-1)),
        "Transpose Conv Concat Conv Transpose",
    ),
    "dense over channels": (
        IMAGE,
        lambda x: conv(layers.Dense(5, "relu")(conv(x))),
        "Transpose Conv Conv Relu Conv Transpose",
    ),
    "channels that weigh themselves": (
        IMAGE,
        lambda x: (lambda y: conv(y * layers.Dense(4, "sigmoid")(y)))(conv(x)),
        "Transpose Conv Conv Sigmoid Mul Conv Transpose",
    ),
    "sums along axes": (
        IMAGE,
        lambda x: conv(ops.cumsum(ops.cumsum(conv(x), axis=-1), axis=1)),
        "Transpose Conv CumSum CumSum Conv Transpose",
    ),
    "products along an axis": (
        SEQUENCE,
        lambda x: layers.Conv1D(2, 2)(ops.cumprod(layers.Conv1D(5, 2)(x), axis=1)),
        "Transpose Conv Unsqueeze Where ReduceProd Conv Transpose",
    ),
    "largest channels": (
        SEQUENCE,
        lambda x: (lambda y: layers.Conv1D(2, 2)(y[0] + ops.cast(y[1], "float32")))(
            ops.top_k(layers.Conv1D(5, 2)(x), 3)
        ),
        "Transpose Conv TopK Cast Cast Add Conv Transpose",
    ),
    "steps in their order": (
        SEQUENCE,
        lambda x: (lambda y: layers.Conv1D(2, 2)(ops.take_along_axis(y, ops.argsort(-y, axis=1), axis=1)))(
            layers.Conv1D(5, 2)(x)
        ),
        "Transpose Conv Neg TopK Cast GatherElements Conv Transpose",
    ),
    "tiled": (
        IMAGE,
        lambda x: conv(ops.tile(conv(x), (1, 1, 2, 3))),
        "Transpose Conv Tile Conv Transpose",
    ),
    "steps that a matrix mixes": (
        SEQUENCE,
        lambda x: layers.Conv1D(2, 2)(
            ops.einsum("abc,bd->adc", layers.Conv1D(3, 2)(x), np.ones((5, 4), "float32"))
        ),
        "Transpose Conv MatMul Conv Transpose",
    ),
    "a matrix for each channel": (
        SEQUENCE,
        lambda x: layers.Conv1D(2, 2)(
            ops.relu(ops.einsum("abc,bdc->adc", layers.Conv1D(3, 2)(x), np.ones((5, 4, 3), "float32")))
        ),
        "Transpose Conv Einsum Relu Conv Transpose",
    ),
    "normalized over all but rows": (
        IMAGE,
        lambda x: conv(layers.LayerNormalization(axis=(1, 2, 3))(conv(x))),
        "Transpose Conv LayerNormalization Conv Transpose",
    ),
    "position of the largest channel": (
        IMAGE,
        lambda x: ops.argmax(conv(x), axis=-1),
        "Transpose Conv ArgMax Cast",
    ),
    "position in a row, kept": (
        IMAGE,
        lambda x: conv(ops.cast(ops.argmax(conv(x), axis=1, keepdims=True), "float32")),
        "Transpose Conv ArgMax Cast Cast Conv Transpose",
    ),
    "unit norm": (
        IMAGE,
        lambda x: conv(layers.UnitNormalization()(conv(x))),
        "Transpose Conv ReduceL2 Reciprocal Min Mul Conv Transpose",
    ),
    "depth to space": (
        IMAGE,
        lambda x: ops.reshape(
            ops.transpose(ops.reshape(conv(x), (-1, 8, 8, 2, 2, 1)), (0, 1, 3, 2, 4, 5)), (-1, 16, 16, 1)
        ),
        "Transpose Conv Reshape Transpose Reshape",
    ),
    "space to depth": (
        (8, 8, 1),
        lambda x: conv(
            ops.reshape(ops.transpose(ops.reshape(x, (-1, 4, 2, 4, 2)), (0, 1, 3, 2, 4)), (-1, 4, 4, 4))
        ),
        "Reshape Transpose Reshape Conv Transpose",
    ),
    "shuffled channels": (IMAGE, shuffled, "Transpose Conv Reshape Transpose Reshape Conv Transpose"),
    "softmax over places": (
        IMAGE,
        lambda x: ops.sum(ops.softmax(ops.reshape(conv(x), (-1, 64, 4)), axis=1), axis=1),
        "Transpose Conv Reshape Softmax ReduceSum",
    ),
    "two layouts": (IMAGE, both_ways, "Transpose Conv Transpose LayerNormalization Relu Add"),
    "normalization between recurrent layers": (
        SEQUENCE,
        lambda x: layers.GRU(3)(
            layers.LayerNormalization()(layers.LSTM(5, return_sequences=True)(x)),
        ),
        "Transpose LSTM Squeeze LayerNormalization GRU Squeeze",
    ),
    "a sequence and what a recurrent layer makes of it": (
        SEQUENCE,
        lambda x: layers.GRU(3)(layers.LSTM(4, return_sequences=True)(x) + x),
        "Transpose LSTM Squeeze Add GRU Squeeze",
    ),
    "frames": (
        (5, *IMAGE),
        frames,
        "Reshape Transpose Conv Relu MaxPool ReduceMean Reshape Transpose LSTM Squeeze",
    ),
    "normalized and activated": (
        IMAGE,
        lambda x: layers.ReLU(6.0)(layers.BatchNormalization()(layers.Dense(4)(x))),
        "MatMul Add Mul Add Clip",
    ),
    "dense over steps": (
        SEQUENCE,
        lambda x: layers.TimeDistributed(layers.Dense(3, "relu"))(x),
        "MatMul Add Relu",
    ),
    "softmax of steps behind a recurrent layer": (
        SEQUENCE,
        lambda x: layers.TimeDistributed(layers.Dense(3, "softmax"))(layers.GRU(5, return_sequences=True)(x)),
        "Transpose GRU Squeeze MatMul Add Softmax Transpose",
    ),
    "rows of other length": (
        (6, 4),
        lambda x: ops.reshape(layers.Dense(3)(ops.reshape(x, (-1, 12, 2))), (-1, 6, 6)),
        "Reshape MatMul Add Reshape",
    ),
    "elements in another shape": (
        (6, 4),
        lambda x: ops.reshape(ops.tanh(ops.reshape(x, (-1, 2, 12))), (-1, 6, 4)),
        "Tanh",
    ),
    "elements of rows in another shape": (
        (12,),
        lambda x: ops.reshape(ops.tanh(ops.reshape(x, (-1, 3, 4))), (-1, 12)),
        "Tanh",
    ),
    "dense between convolutions over steps": (
        SEQUENCE,
        lambda x: layers.Conv1D(2, 2)(layers.Dense(3)(layers.Conv1D(5, 2)(x))),
        "Transpose Conv Conv Conv Transpose",
    ),
    "a number added": (IMAGE, lambda x: conv(x, use_bias=False) + 2.0, "Transpose Conv Transpose"),
    "one channel": (IMAGE, lambda x: conv(x, 1, activation="relu"), "Transpose Conv Relu Reshape"),
    "scaled": (IMAGE, lambda x: layers.Rescaling(1 / 255.0)(x), "Mul"),
    "sums of what is normalized": (
        IMAGE,
        lambda x: ops.cumsum(layers.BatchNormalization()(x), axis=1),
        "Mul Add CumSum",
    ),
    "axes of size 1": (
        (1, 1, 2),
        lambda x: ops.pad(ops.transpose(x, (0, 2, 1, 3)), [[0, 0], [1, 0], [0, 2], [0, 0]]),
        "Pad",
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks(name, tmp_path):
    shape, function, operators = BLOCKS[name]
    assert exported(shape, function, tmp_path / "m.onnx") == operators.split()


def test_what_comes_back_into_the_layout_of_convolutions_is_turned_for_it(tmp_path):
    """Rather than the image before it and the sum after it."""
    found = exported(IMAGE, attended, tmp_path / "m.onnx")
    assert found[-5:] == ["Reshape", "Transpose", "Add", "Conv", "Transpose"]
    assert found.count("Transpose") == 8  # four of them around the heads


def test_what_is_expanded_is_expanded_where_it_lies():
    x, kernel = (np.random.default_rng(0).normal(size=s).astype("float32") for s in ((2, 6, 3), (2, 3, 3)))

    def function(x):
        y = ops.conv(x, kernel)
        wide = ops.broadcast_to(ops.mean(y, axis=1, keepdims=True), (2, 5, 3))
        return ops.conv(ops.concatenate([wide, y], axis=1), kernel)

    model = model_of(graph_of(function, [x]))
    np.testing.assert_allclose(run(model, [x])[0], function(x), rtol=1e-5, atol=1e-5)
    assert " ".join(ops_of(model)) == "Transpose Conv ReduceMean Expand Concat Conv Transpose"


TURNING = {
    "found in a table": (
        lambda x: ops.transpose(ops.take(TABLE, ops.transpose(x, (2, 0, 1)), axis=0), (1, 2, 0, 3, 4)),
        "Gather",
    ),
    "found in the middle of a table": (
        lambda x: ops.transpose(ops.take(TABLE, ops.transpose(x, (2, 0, 1)), axis=1), (0, 2, 3, 1, 4)),
        "Gather",
    ),
    "found at the end of a table": (
        lambda x: ops.transpose(ops.take(TABLE, ops.transpose(x, (0, 2, 1)), axis=-1), (0, 1, 2, 4, 3)),
        "Gather",
    ),
    "found, as it is": (lambda x: ops.take(TABLE, ops.transpose(x, (2, 0, 1)), axis=0), "Transpose Gather"),
    "marked": (
        lambda x: ops.transpose(ops.one_hot(ops.transpose(x, (2, 0, 1)), 70), (1, 2, 0, 3)),
        "Mod OneHot",
    ),
    "marked in front of the last axis": (
        lambda x: ops.transpose(ops.one_hot(ops.transpose(x, (1, 0, 2)), 70), (1, 0, 3, 2)),
        "Mod OneHot",
    ),
    "marked, and moved": (lambda x: ops.transpose(ops.one_hot(x, 70, axis=1), (1, 0, 2, 3)), "Mod OneHot"),
    "marked, and turned": (
        lambda x: ops.transpose(ops.one_hot(x, 70), (3, 0, 2, 1)),
        "Mod OneHot Transpose",
    ),
    "marked, as it is": (lambda x: ops.one_hot(ops.transpose(x, (0, 2, 1)), 70), "Mod Transpose OneHot"),
}
TABLE = np.arange(120, dtype="float32").reshape(5, 6, 4)


@pytest.mark.parametrize("name", TURNING)
def test_positions_are_looked_up_before_they_are_transposed(name):
    function, operators = TURNING[name]
    x = np.array([[[0, 3], [2, 1], [1, 1]], [[3, 2], [0, 0], [1, 3]]], "int64")
    model = model_of(graph_of(function, [x]))
    np.testing.assert_array_equal(run(model, [x])[0], function(x))
    assert " ".join(ops_of(model)) == operators


def turned(x):
    return ops.transpose(x, (0, 2, 1))


MATRICES = np.random.default_rng(1).normal(size=(2, 4, 4)).astype("float32")
PRODUCTS = {
    "both": (lambda x, y: ops.matmul(turned(x), turned(y)), "MatMul Transpose"),
    "both, and the product": (lambda x, y: turned(ops.matmul(turned(x), turned(y))), "MatMul"),
    "a square": (lambda x, y: turned(ops.matmul(turned(x), turned(x))) + y, "MatMul Add"),
    "one": (lambda x, y: ops.matmul(turned(x), y), "Transpose MatMul"),
    "one and the product": (lambda x, y: turned(ops.matmul(x, turned(y))), "Transpose MatMul Transpose"),
    "one, beside weights": (lambda x, y: ops.matmul(turned(x), MATRICES) + y, "Transpose MatMul Add"),
    "weights and the product": (lambda x, y: turned(ops.matmul(MATRICES, turned(y))), "MatMul"),
    "both, one of them for another": (
        lambda x, y: (lambda z: ops.matmul(z, turned(y)) + ops.cumprod(z, axis=1))(turned(x)),
        "MatMul Unsqueeze Where ReduceProd Add Transpose",
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_transposed_matrices_are_transposed_products(name):
    function, operators = PRODUCTS[name]
    x, y = np.random.default_rng(0).normal(size=(2, 2, 4, 4)).astype("float32")
    model = model_of(graph_of(function, [x, y]))
    np.testing.assert_allclose(run(model, [x, y])[0], function(x, y), rtol=1e-5, atol=1e-5)
    assert " ".join(ops_of(model)) == operators


def test_products_of_matrices_in_other_places():
    """A transpose that moves other axes is no product's of the other order."""
    x, y = np.random.default_rng(0).normal(size=(2, 3, 3, 3, 3)).astype("float32")
    for perm in ((0, 2, 1, 3), (1, 0, 3, 2), (0, 3, 1, 2), (0, 3, 2, 1), (0, 1, 3, 2)):

        def function(x, y, perm=perm):
            return ops.transpose(ops.matmul(ops.transpose(x, perm), ops.transpose(y, perm)), perm)

        np.testing.assert_allclose(
            run(model_of(graph_of(function, [x, y])), [x, y])[0], function(x, y), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("layer", [layers.LayerNormalization, layers.RMSNormalization, layers.Softmax])
def test_rows_are_normalized_in_any_shape(layer, tmp_path):
    """Not made into a matrix for it. From opset 23 on each of these is one operator."""
    found = exported(SEQUENCE, layers.TimeDistributed(layer()), tmp_path / "m.onnx", opset_version=23)
    assert found == [layer.__name__]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((2, 12, 5), (2, 3, 4, 5), [([0], [0]), ([1], [1, 2]), ([2], [3])]),
        ((6, 4), (2, 3, 4), [([0], [0, 1]), ([1], [2])]),
        ((2, 1, 3), (2, 3), [([0], [0]), ([2], [1])]),
        ((2, 3), (1, 2, 1, 3, 1), [([0], [0, 1, 2]), ([1], [3, 4])]),
        ((4, 6), (6, 4), [([0, 1], [0, 1])]),
        ((4, 6), (4, 5), None),
        ((1, 1), (1,), None),
    ],
)
def test_groups_of_axes(before, after, expected):
    assert shapes.groups(before, after) == expected
