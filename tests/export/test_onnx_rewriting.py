"""What rewriting must not mix up: shared weights and names, equal extents, axes that onnxruntime resizes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile
from kcompile import Input, Model, layers, ops
from kcompile.export.onnx import check
from tests.export.onnx_tools import graph_of, model_of, run

RNG = np.random.default_rng(0)


def numbers(*shape):
    return RNG.normal(size=shape).astype("float32")


def differing(layer):
    """The layer with statistics of its own."""
    layer.set_weights([np.abs(numbers(*w.shape)) + 0.1 for w in layer.weights])
    return layer


def equal_extents():
    a, b = Input((5, 5)), Input((5, 5))
    return Model([a, b], layers.Conv1D(2, 3)(layers.Conv1D(5, 3, padding="same")(a) + b))


def square_transposes():
    a, b = Input((4, 4)), Input((4, 4))
    return Model([a, b], ops.transpose(ops.transpose(a, (0, 2, 1)) + b, (0, 2, 1)))


def square_image():
    a = Input((8, 8, 8))
    return Model(a, layers.Conv2D(2, 3)(layers.Dense(8)(a) + layers.Conv2D(8, 3, padding="same")(a)))


def dense_behind_two_flattens():
    dense, a, b = layers.Dense(5), Input((4, 6, 3)), Input((4, 3, 3))
    images = layers.Conv2D(2, 1)(a), layers.Conv2D(4, 1)(b)
    return Model([a, b], [dense(layers.Flatten()(x)) for x in images])


def normalizations(**options):
    def build():
        a, b = Input((4, 3)), Input((5, 3))
        model = Model([a, b], [layers.BatchNormalization(**options)(x) for x in (a, b)])
        for layer in model.layers[2:]:
            differing(layer)
        return model

    return build


def lora():
    x = Input((3, 4))
    model = Model(x, layers.EinsumDense("abc,cd->abd", (3, 5), lora_rank=2)(x))
    model.set_weights([numbers(*w.shape) for w in model.weights])
    return model


def convolution_and_product():
    x, kernel, w = Input((6, 3)), numbers(3, 3, 4), numbers(4, 2)
    return Model(
        x, layers.Conv1D(2, 1)(layers.Lambda(lambda x: ops.matmul(ops.relu(ops.conv(x, kernel)), w))(x))
    )


def product_and_einsum():
    x, w = Input((4,)), numbers(4, 4)
    return Model(x, ops.matmul(x, w) + ops.einsum("bi,ij->bj", ops.tanh(x), w))


def weight_projected_both_ways():
    a, b, w = Input((5, 4)), Input((4, 3)), numbers(4, 3, 5)
    return Model([a, b], [ops.einsum("nxa,abc->nxbc", a, w), ops.einsum("nab,abc->nc", b, w)])


def row_wider_than_the_product():
    a = Input((4,))
    return Model(a, layers.Dense(1, use_bias=False)(a) + np.arange(3, dtype="float32"))


def choice_of_a_row():
    a = Input((4,))
    return Model(a, ops.where(a > 0.5, np.arange(4, dtype="float32"), ops.where(a < -0.5, -0.5, a)))


def enlarged_behind_a_transpose():
    x = Input((1, 1, 4))
    turned = ops.transpose(x, (0, 3, 1, 2))
    sized = [
        layers.UpSampling2D(2, interpolation=mode)(turned) for mode in ("bilinear", "bicubic", "nearest")
    ]
    return Model(x, [ops.transpose(y, (0, 2, 1, 3)) for y in sized])


def resized_behind_a_transpose():
    """To a size that no scale of float32 gives: along axes that onnxruntime does not interpolate."""
    x = Input((6, 3, 8))
    turned = ops.transpose(x, (0, 1, 3, 2))
    sized = [ops.image.resize(turned, (13, 26), interpolation=how) for how in ("bilinear", "nearest")]
    return Model(x, [ops.transpose(y, (0, 1, 3, 2)) for y in sized])


def large_factors():
    x = Input((3,))
    y = x
    for _ in range(5):
        y = y * 1e8
    return Model(x, y)


def looked_up_at_values():
    """Sorted numbers as positions: not what stands at the positions of the sorted numbers."""
    x = Input((5,))
    places = ops.argsort(x, axis=-1)
    order = ops.cast(places, "float32")
    return Model(
        x, [ops.take_along_axis(order, ops.cast(ops.sort(order, axis=-1)[:, ::-1], "int32"), axis=-1)]
    )


def sorted_positions():
    """The numbers of a shuffled row, looked up in it at what they are when they are sorted."""
    x = Input((5,))
    row = ops.cast(ops.argsort(x, axis=-1), "float32")
    values, _ = ops.top_k(row, 5)
    return Model(x, ops.take_along_axis(row, ops.cast(values, "int32"), axis=-1))


def bounds_of_more_axes():
    x, half = Input((5,)), np.full((1, 1, 1), 0.5, "float32")
    return Model(x, ops.where(x > half, half, ops.where(x < -0.3, -0.3, x)))


def two_decoders():
    """Each is read as an image, and the first as the row that the second is made of, too."""
    x = Input((5,))
    first = layers.Dense(24)(x)
    images = [layers.Reshape((4, 2, 3))(y) for y in (first, layers.Dense(24)(first))]
    return Model(x, layers.Add()([layers.Conv2D(2, 2, padding="same")(image) for image in images]))


def rows_and_their_maximum():
    x = Input((4, 4, 3))
    flat = layers.Flatten()(layers.Conv2D(3, 3, padding="same")(x))
    return Model(x, [layers.Dense(3)(flat), ops.max(flat, axis=0, keepdims=True)])


MODELS = {
    "equal_extents": equal_extents,
    "square_transposes": square_transposes,
    "square_image": square_image,
    "dense_behind_two_flattens": dense_behind_two_flattens,
    "normalizations_without_scale": normalizations(scale=False),
    "normalizations_without_center": normalizations(center=False),
    "normalizations_without_either": normalizations(scale=False, center=False),
    "normalizations": normalizations(),
    "lora": lora,
    "convolution_and_product": convolution_and_product,
    "product_and_einsum": product_and_einsum,
    "weight_projected_both_ways": weight_projected_both_ways,
    "row_wider_than_the_product": row_wider_than_the_product,
    "choice_of_a_row": choice_of_a_row,
    "enlarged_behind_a_transpose": enlarged_behind_a_transpose,
    "resized_behind_a_transpose": resized_behind_a_transpose,
    "large_factors": large_factors,
    "looked_up_at_values": looked_up_at_values,
    "sorted_positions": sorted_positions,
    "bounds_of_more_axes": bounds_of_more_axes,
    "two_decoders": two_decoders,
    "rows_and_their_maximum": rows_and_their_maximum,
}


@pytest.mark.parametrize("opset", [13, 20])
@pytest.mark.parametrize("name", MODELS)
def test_files_compute_what_their_models_do(name, opset, tmp_path):
    model, path = MODELS[name](), tmp_path / "m.onnx"
    model.export(path, format="onnx", verbose=False, opset_version=opset)
    session = onnxruntime.InferenceSession(path)
    for rows in (1, 3):
        small = 1e-30 if name == "large_factors" else 1
        inputs = [small * numbers(rows, *x.shape[1:]) for x in model.inputs]
        feed = {i.name: x for i, x in zip(session.get_inputs(), inputs, strict=True)}
        want = kcompile.tree.flatten(model(inputs if len(inputs) > 1 else inputs[0]))
        for got, expected in zip(session.run(None, feed), want, strict=True):
            np.testing.assert_allclose(got, np.asarray(expected), rtol=2e-5, atol=2e-5)


def image_and_place(x, y):
    """What is added has an axis fewer, and all are wanted with channels second."""
    return ops.conv(ops.conv(x, KERNEL, padding="same") + y, KERNEL)


def torn_axes(x, y):
    """Both axes become two others, so that the transposes have nothing in common."""
    turned = ops.transpose(ops.reshape(ops.transpose(y, (2, 1, 0)), (3, 4, 5)), (2, 1, 0))
    return ops.transpose(ops.reshape(ops.transpose(turned, (2, 1, 0)), (5, 12)), (1, 0))


def summed_beside(x, y):
    """An axis of one operand alone is summed up, too."""
    return ops.einsum("abcd,abed->abe", x, ops.tanh(x))


def widened_number(x, y):
    """Factors that cancel, and give a number its axis."""
    return ops.sum(x) * np.full(1, 2, "float32") * np.full(1, 0.5, "float32")


KERNEL = np.random.default_rng(2).normal(size=(2, 2, 3, 3)).astype("float32")
GRAPHS = [image_and_place, torn_axes, summed_beside, widened_number]


@pytest.mark.parametrize("function", GRAPHS)
def test_graphs_compute_what_their_functions_do(function):
    x, y = numbers(2, 4, 5, 3), numbers(4, 5, 3)
    model = model_of(graph_of(function, [x, y]))
    np.testing.assert_allclose(run(model, [x, y])[0], function(x, y), rtol=1e-5, atol=1e-5)


def test_a_layers_own_name_is_kept_where_its_operator_changes(tmp_path):
    model = kcompile.Sequential([Input((4,)), layers.Dense(3, name="my_MatMul")])
    model.export(tmp_path / "m.onnx", format="onnx", verbose=False)
    names = [n.name for n in onnx.load(tmp_path / "m.onnx").graph.node]
    assert all("my_MatMul" in name for name in names)


HALVES = numbers(4, 4).astype("float16")


def half_product_of_turned_rows(x, y):
    turned = ops.transpose(ops.take(x, 0, axis=0), (1, 2, 0))
    return x * ops.reshape(ops.matmul(ops.reshape(turned, (-1, 4)), HALVES), (4, 4, 4))


def test_no_product_of_halves_comes_to_stand_behind_a_transpose():
    """onnxruntime 1.32 dies of some of them."""
    x = numbers(3, 4, 4, 4).astype("float16")
    graph = model_of(graph_of(half_product_of_turned_rows, [x, x])).graph
    turned = {output for node in graph.node if node.op_type == "Transpose" for output in node.output}
    products = [n for n in graph.node if n.op_type in ("MatMul", "Gemm")]
    assert products and not [n for n in products if turned.intersection(n.input)]


class Counting(layers.Layer):
    """Computes a number that its weight holds as a matrix, and keeps it."""

    def build(self, shape):
        self.w = self.add_weight(shape=(1, 1), initializer="ones", trainable=False)

    def call(self, x):
        self.w.assign(ops.reshape(ops.exp(ops.reshape(self.w, ())), (1, 1)))
        return x * self.w


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rows_of_halves_are_turned_once(dtype, tmp_path):
    """A change of shape stays between the transpose and the product, which onnxruntime dies of otherwise."""
    x = Input((2, 6, 4, 2), dtype=dtype)
    y = layers.Reshape((4, 6, 4), dtype=dtype)(layers.Permute((1, 4, 2, 3), dtype=dtype)(x))
    model = Model(x, layers.Permute((2, 1, 3), dtype=dtype)(layers.Dense(6, dtype=dtype)(y)))
    model.export(path := tmp_path / "m.onnx", verbose=False)
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert operators == ["Transpose", "Reshape", "MatMul", "Add"]
    check(model, path)


@pytest.mark.parametrize("training", [False, True])
def test_numbers_without_dimensions_are_no_rows(training, tmp_path):
    x = Input((4,))
    model = Model(x, layers.Dense(1)(Counting()(x)))
    model.compile("sgd", "mse")
    path = tmp_path / "model.onnx"
    model.export(path, format="onnx", training=training, verbose=False)
    onnx.checker.check_model(onnx.load(path), full_check=True)


def number_as_matrix(x, y):
    return ops.reshape(ops.tanh(ops.reshape(ops.sum(x[0, 0, 0, :1]), ())), (1, 1))


def rows_of_other_dimensions(x, y):
    return ops.reshape(ops.relu(ops.reshape(y, (20, 3))), (5, 4, 3))


@pytest.mark.parametrize("function", [number_as_matrix, rows_of_other_dimensions])
def test_reshapes_that_make_other_rows_stay(function):
    test_graphs_compute_what_their_functions_do(function)
