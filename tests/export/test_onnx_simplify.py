"""Fewer nodes: each rule of `simplify`, where it fires and where it must not."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import kcompile
from kcompile import layers, ops
from kcompile.export.onnx import lines, repeats, simplify
from kcompile.export.onnx.graph import OnnxGraph, OnnxNode
from kcompile.ir.types import TensorType
from kcompile.ops import activation
from tests.export.onnx_tools import graph_of, model_of, ops_of, run

RNG, FLOATS = np.random.default_rng(0), TensorType((4,), "float32")


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


def written(function, *arrays, opset=20):
    """The operators of a function with an open batch; its results agree for two batch sizes."""
    model = model_of(graph_of(function, arrays, batch=True), opset)
    for rows in (1, 3):
        given = [normal(rows, *a.shape[1:]) for a in arrays]
        np.testing.assert_allclose(run(model, given)[0], function(*given), rtol=1e-5, atol=1e-5)
    return ops_of(model)


W, BIAS, CUBE = normal(4, 5), normal(5), normal(2, 4, 5)


@pytest.mark.parametrize(
    ("function", "shape", "operators"),
    [
        # a product and a row
        (lambda x: ops.matmul(x, W) + BIAS, (2, 4), ["Gemm"]),
        (lambda x: BIAS + ops.matmul(x, W), (2, 4), ["Gemm"]),
        (lambda x: ops.matmul(x, W) + BIAS, (2, 3, 4), ["MatMul", "Add"]),  # Gemm takes matrices only
        (lambda x: ops.matmul(x, W) + BIAS[0], (2, 4), ["MatMul", "Add"]),
        # turned operands
        (lambda x: ops.matmul(x, ops.transpose(x)), (2, 4), ["Gemm"]),
        # nothing changed
        (lambda x: ops.exp(x + 0.0) * 1.0, (2, 4), ["Exp"]),
        (lambda x: ops.cond(ops.sum(x) > 1, lambda: x, lambda: -x), (2, 4),
         ["ReduceSum", "Greater", "Neg", "Where"]),
        # einsum as a product
        (lambda x: ops.einsum("abc,cd->abd", x, W), (2, 3, 4), ["MatMul"]),
        (lambda x: ops.einsum("abc,dc->abd", x, W.T.copy()), (2, 3, 4), ["MatMul"]),
        (lambda x: ops.einsum("...c,cd->...d", x, W), (2, 3, 4), ["MatMul"]),
        (lambda x: ops.einsum("abc,acd->abd", x, x[:, :4]), (2, 4, 4), ["MatMul"]),
        (lambda x: ops.einsum("abc,cd->adb", x, W), (2, 3, 4), ["Einsum"]),
        # einsum of two computed tensors as products of matrices
        (lambda x: ops.einsum("nab,ncb->nac", x, ops.exp(x)), (2, 3, 4), ["Exp", "Transpose", "MatMul"]),
        (lambda x: ops.einsum("btnh,bsnh->bnts", x, ops.exp(x)), (2, 3, 2, 4),
         ["Exp", "Transpose", "Transpose", "MatMul"]),
        (lambda x: ops.einsum("bnts,bsnh->btnh", x, ops.exp(ops.transpose(x, (0, 3, 1, 2)))), (2, 3, 4, 4),
         ["Exp", "Transpose", "MatMul", "Transpose"]),
        (lambda x: ops.einsum("abcd,aecd->acbe", x, ops.exp(x)), (2, 3, 2, 4),
         ["Exp", "Transpose", "Transpose", "MatMul"]),
        (lambda x: ops.einsum("abc,abd->acd", x, ops.exp(x)), (2, 3, 4), ["Exp", "Transpose", "MatMul"]),
        (lambda x: ops.einsum("abc,abd->cd", x, ops.exp(x)), (2, 3, 4), ["Exp", "Einsum"]),
        (lambda x: ops.einsum("abc,bcd->abd", x, CUBE), (3, 2, 4), ["Einsum"]),
        # limits
        (lambda x: ops.clip(x, -1, 2), (2, 3), ["Clip"]),
        (lambda x: ops.maximum(ops.minimum(x, 2.0), -1.0), (2, 3), ["Clip"]),
        (lambda x: ops.minimum(ops.maximum(x, 1.0), -1.0), (2, 3), ["Max", "Min"]),  # Clip leaves that open
        (lambda x: ops.clip(ops.relu(x), 0, 2), (2, 3), ["Clip"]),
        (lambda x: ops.clip(ops.relu(x), -1, 2), (2, 3), ["Clip"]),
        (lambda x: ops.relu6(x * 9), (2, 3), ["Mul", "Clip"]),
        # quotients and norms
        (lambda x: x[:, :1] * ops.rsqrt(ops.square(x) + 1), (2, 3), ["Slice", "Mul", "Add", "Sqrt", "Div"]),
        (lambda x: ops.sum(x * x, axis=1), (2, 3), ["ReduceSumSquare"]),
        (lambda x: ops.sqrt(ops.sum(x * x, axis=1)), (2, 3), ["ReduceL2"]),
        (lambda x: ops.where(ops.logical_not(x > 0), x, x * 2), (2, 3), ["Greater", "Mul", "Where"]),
        (lambda x: (x - 1.0) / 4.0 * 2.0 + 3.0, (2, 3), ["Mul", "Add"]),
        (lambda x: (x * 4.0 + 1.0) / 2.0, (2, 3), ["Mul", "Add"]),
        (lambda x: ops.exp(x / 4.0 * 4.0), (2, 3), ["Exp"]),
        (lambda x: x * 1e20 * 1e-20, (2, 3), ["Mul", "Mul"]),  # infinite where x is large
        # constants on either side
        (lambda x: 3.0 * (2.0 * x), (2, 3), ["Mul"]),
        (lambda x: (x * 2.0) * 3.0, (2, 3), ["Mul"]),
        (lambda x: 3.0 * (x / 2.0), (2, 3), ["Mul"]),
        (lambda x: 5.0 - (2.0 - x), (2, 3), ["Add"]),
        (lambda x: (x / 127.5 - 1.0 - BIAS) / (BIAS + 9.0), (2, 5), ["Mul", "Add"]),
        (lambda x: ops.exp((x * BIAS + 1.0) * W[:, :1]), (2, 4, 5), ["Mul", "Add", "Mul", "Exp"]),  # 4 by 5
        (lambda x: 2.0 / (x * 3.0 + 100.0), (2, 3), ["Mul", "Add", "Div"]),
        (lambda x: x + 3e6 - 3e6, (2, 3), ["Add", "Sub"]),
        (lambda x: (2.0 * x) * ops.exp(2.0 * x), (2, 3), ["Mul", "Exp", "Mul"]),
        # relu, limited
        (lambda x: ops.minimum(ops.relu(x), 6.0), (2, 3), ["Clip"]),
        (lambda x: ops.minimum(6.0, ops.relu(x)), (2, 3), ["Clip"]),
        (lambda x: ops.relu(ops.minimum(x, 6.0)), (2, 3), ["Clip"]),
        (lambda x: ops.relu(ops.minimum(x, -1.0)), (2, 3), ["Min", "Relu"]),
        (lambda x: ops.minimum(ops.relu(x), BIAS), (2, 5), ["Relu", "Min"]),
        (lambda x: ops.maximum(0.1 * x, x), (2, 3), ["LeakyRelu"]),
        (lambda x: ops.maximum(x, x * 1.5), (2, 3), ["Mul", "Max"]),
        # mish
        (lambda x: x * ops.tanh(ops.softplus(x)), (2, 3), ["Mish"]),
        (lambda x: ops.tanh(ops.log1p(ops.exp(x))) * x, (2, 3), ["Mish"]),
        (lambda x: ops.tanh(ops.softplus(x)) * (x + 1.0), (2, 3), ["Softplus", "Tanh", "Add", "Mul"]),
        # products of a number with itself
        (lambda x: x**3 + 1.0, (2, 3), ["Pow", "Add"]),
        (lambda x: ops.square(x) * x + ops.square(x), (2, 3), ["Mul", "Mul", "Add"]),
        # one element along an axis
        (lambda x: x[:, 0], (2, 3, 4), ["Gather"]),
        (lambda x: x[..., -1] * 2.0, (2, 3, 4), ["Gather", "Mul"]),
        (lambda x: x[:, -2], (2, 3, 4), ["Gather"]),
        (lambda x: x[:, 1:2], (2, 3, 4), ["Slice"]),
        (lambda x: x[:, 1, 2], (2, 3, 4), ["Slice", "Reshape"]),
        (lambda x: x[:, 1, None] + x[:, 1:2], (2, 3, 4), ["Slice", "Add"]),
        # choices
        (lambda x: ops.where(ops.logical_not(x[:, 0] > 0)[:, None], x, x * 2), (2, 3),
         ["Gather", "Greater", "Mul", "Reshape", "Where"]),
        (lambda x: ops.divide_no_nan(x, ops.floor(x)), (2, 3), ["Floor", "Equal", "Div", "Where"]),
        (lambda x: ops.where(x > 0, ops.log(2.0 * ops.where(x > 0, x, 1.0)), x), (2, 3),
         ["Greater", "Mul", "Log", "Where"]),
        (lambda x: ops.where(x > 0, ops.where(x > 0, x, 1.0) * ops.where(x > 1, x, 1.0), x), (2, 3),
         ["Greater", "Greater", "Where", "Mul", "Where"]),
        # the rest
        (lambda x: ops.repeat(ops.repeat(x, 2, axis=1), 3, axis=2), (2, 3, 4), ["Resize"]),
        (lambda x: ops.broadcast_to(x, (x.shape[0], 5, 3)), (2, 1, 3), ["Expand"]),
        (lambda x: ops.softmax(x, axis=(1, 2)), (2, 3, 4), ["Reshape", "Softmax", "Reshape"]),
        (lambda x: activation.prelu(x, BIAS[:3]), (2, 3), ["PRelu"]),
    ],
)  # fmt: skip
def test_forms(function, shape, operators):
    assert written(function, normal(*shape)) == operators


def test_mish_is_written_where_the_opset_has_it():
    for opset, operators in ((17, ["Softplus", "Tanh", "Mul"]), (18, ["Mish"])):
        assert written(lambda x: x * ops.tanh(ops.softplus(x)), normal(2, 3), opset=opset) == operators


@pytest.mark.parametrize("opset", [13, 17, 18])
def test_axes_are_where_the_opset_has_them(opset):
    assert written(lambda x: ops.sqrt(ops.sum(x * x, axis=(1, 2))), normal(2, 3, 4), opset=opset) == [
        "ReduceL2"
    ]


def test_what_something_else_reads_stays():
    def both(x):
        product = ops.matmul(x, W)
        return ops.concatenate([product + BIAS, product], axis=0)

    assert written(both, normal(2, 4)) == ["MatMul", "Add", "Concat"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bounds", [(-0.5, 0.5), (0.2, 0.5), (0.0, 6.0), (-2.0, -1.0), (-1.0, 0.0)])
def test_limits_take_the_place_of_a_relu(bounds, dtype):
    x = np.array([-3, -1, -0.3, 0, 0.1, 0.3, 0.7, 8, np.nan, np.inf, -np.inf], dtype)
    model = model_of(graph_of(lambda x: ops.clip(ops.relu(x), *bounds), [x]))
    assert ops_of(model) == ["Clip"]
    np.testing.assert_array_equal(run(model, [x])[0], ops.clip(ops.relu(x), *bounds))


def test_nan_passes_through_limits():
    model = model_of(graph_of(ops.relu6, [normal(2)]))
    np.testing.assert_array_equal(run(model, [np.array([np.nan, 7], "float32")])[0], [np.nan, 6])


def test_batch_normalization_between_transposes_is_a_product_and_a_sum(tmp_path):
    """And stays one operator where the channels are second anyway."""
    kcompile.utils.set_random_seed(0)
    norm = layers.BatchNormalization(name="norm")
    alone = kcompile.Sequential([kcompile.Input((5, 6, 3)), norm])
    norm.set_weights([normal(3), normal(3), normal(3), normal(3) ** 2])
    behind = kcompile.Sequential([kcompile.Input((5, 6, 3)), layers.Conv2D(3, 1), layers.ReLU(), norm])
    behind.add(layers.Conv2D(2, 1))
    for model, operators in (
        (alone, ["Mul", "Add"]),
        (behind, ["Transpose", "Conv", "Relu", "BatchNormalization", "Conv", "Transpose"]),
    ):
        model.export(tmp_path / "m.onnx", verbose=False)
        assert operators_of(tmp_path / "m.onnx") == operators
        assert kcompile.export.onnx.check(model, tmp_path / "m.onnx") < 1e-5


def operators_of(path):
    import onnx

    return ops_of(onnx.load(path))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("interpolation", "operators"),
    [("nearest", ["Resize"]), ("bilinear", ["Resize"]), ("bicubic", ["Einsum", "Einsum"])],
)
def test_up_sampling(interpolation, operators, data_format, tmp_path):
    shape = (5, 6, 3) if data_format == "channels_last" else (3, 5, 6)
    layer = layers.UpSampling2D((2, 3), interpolation=interpolation, data_format=data_format)
    model = kcompile.Sequential([kcompile.Input(shape), layer])
    model.export(tmp_path / "m.onnx", verbose=False)
    found = [op for op in operators_of(tmp_path / "m.onnx") if op != "Transpose"]
    assert found == operators
    assert kcompile.export.onnx.check(model, tmp_path / "m.onnx") < 1e-5


def test_images_of_open_size_are_enlarged(tmp_path):
    model = kcompile.Sequential(
        [kcompile.Input((None, None, 2)), layers.UpSampling2D(2, interpolation="bilinear")]
    )
    model.export(tmp_path / "m.onnx", verbose=False)
    assert operators_of(tmp_path / "m.onnx") == ["Resize"]
    assert kcompile.export.onnx.check(model, tmp_path / "m.onnx") < 1e-5


def results_of(function, x, opset=20):
    return run(model_of(graph_of(function, [x]), opset), [x])[0]


@pytest.mark.parametrize("opset", [13, 20])
def test_small_numbers_keep_their_digits(opset):
    """ONNX has neither log1p nor expm1."""
    x = np.concatenate([10.0 ** np.arange(-30, 1, 0.1), -(10.0 ** np.arange(-30, -0.01, 0.1))]).astype(
        "float32"
    )
    for function in (ops.log1p, ops.expm1):
        wanted = getattr(np, function.__name__)(x.astype("float64"))
        np.testing.assert_allclose(results_of(function, x, opset), wanted, rtol=5e-7)


def test_logarithms_and_exponentials_at_the_ends():
    x = np.array([0.0, -1.0, np.inf, -2.0, np.nan, 3e38], "float32")
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(results_of(ops.log1p, x), np.log1p(x), rtol=1e-6)
    x = np.array([0.0, -np.inf, np.inf, -200.0, np.nan, 88.0, 17.0], "float32")
    np.testing.assert_allclose(results_of(ops.expm1, x), np.expm1(x), rtol=1e-6)


def test_the_logarithm_of_one_and_an_exponential_is_one_operator():
    assert written(lambda x: ops.log1p(ops.exp(x)), normal(2, 3)) == ["Softplus"]


def test_what_is_close_to_infinity():
    a, b = (g.ravel() for g in np.meshgrid(*[np.array([0, 1, np.inf, -np.inf, np.nan], "float32")] * 2))
    found = run(model_of(graph_of(ops.isclose, [a, b])), [a, b])[0]
    np.testing.assert_array_equal(found, np.isclose(a, b))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(ops.isclose(a, b), np.isclose(a, b))


@pytest.mark.parametrize(
    ("known", "options", "nodes"),
    [
        ({}, {}, 9),
        ({}, {"rtol": 0.01}, 9),
        ({}, {"rtol": 0.25, "atol": 0.5}, 9),
        ({}, {"rtol": np.float32([1e-5, 0.25, 0.01])}, 9),
        ({1: np.float32([0.5, 1e30, -1])}, {"rtol": 2.0}, 5),
        ({1: np.float32([0.5, np.inf, -np.inf])}, {}, 5),
        ({0: 1.5}, {"atol": 0.5}, 9),
        ({}, {"equal_nan": True}, 13),
    ],
)
def test_what_is_close_takes_few_nodes_and_knows_infinities(known, options, nodes):
    numbers = np.float32([0, 1, 1.5, 1.00001, 100, 101, 1e30, -1e30, np.inf, -np.inf, np.nan])
    given = [np.repeat(g.ravel()[:, None], 3, axis=1) for g in np.meshgrid(numbers, numbers)]

    def with_known(close):
        return lambda a, b: close(known.get(0, a), known.get(1, b), **options)

    model = model_of(graph_of(with_known(ops.isclose), given))
    assert len(model.graph.node) == nodes
    expected = with_known(np.isclose)(*given)
    found = run(model, given)[0]
    np.testing.assert_array_equal(found, expected)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(with_known(ops.isclose)(*given), expected)


@pytest.mark.parametrize("classes", [3, 99])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_labels_outside_have_no_class(classes, dtype):
    x = np.array(
        [
            0,
            2,
            classes,
            -1,
            -classes,
            *np.iinfo(dtype).max - np.arange(3),
            *np.iinfo(dtype).min + np.arange(3),
        ],
        dtype,
    )
    function = lambda x: ops.one_hot(x, classes)  # noqa: E731
    np.testing.assert_array_equal(results_of(function, x), function(x))
    assert function(x).sum() == 2


def test_only_copies_are_written_as_such():
    """A Resize of five dimensions, at positions between elements, by no whole number, and of some axes."""
    asked = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for attrs, scale in (
        (asked, 2), (asked, 1.5), (asked | {"mode": "linear"}, 2), (asked | {"axes": [0, 1, 2, 3, 4]}, 2),
        (asked | {"nearest_mode": "ceil"}, 2),
        (asked | {"coordinate_transformation_mode": "half_pixel"}, 2),
    ):  # fmt: skip
        kind = TensorType((2, 2, 2, 2, 2), "float32")
        scales = np.array([1, 1, 1, 1, scale], "float32")
        nodes = [OnnxNode("Resize", ("x", "", "scales"), ("y",), attrs)]
        graph = OnnxGraph({"x": kind}, {"y": kind}, nodes, {"scales": scales}, {"x": kind})
        repeats.write_copies(graph)
        assert ("Tile" in [node.op for node in graph.nodes]) == (attrs is asked and scale == 2)


@pytest.mark.parametrize("dtype", ["float32", "int32", "float16"])
def test_volumes_are_enlarged_by_copies(dtype):
    """onnxruntime looks up each element of Resize where there are five dimensions."""
    x = (normal(2, 3, 4, 2, 2) * 9).astype(dtype)
    function = lambda x: ops.repeat(ops.repeat(x, 2, axis=1), 3, axis=3)  # noqa: E731
    model = model_of(graph_of(function, [x]))
    assert ops_of(model) == (["Resize"] if dtype == "float16" else ["Unsqueeze", "Tile", "Reshape"])
    np.testing.assert_array_equal(run(model, [x])[0], function(x))


# --- averages of windows of another number -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "size", "operators"),
    [
        ((2, 7, 3), 10, ["Gather", "Gather", "Mean"]),  # windows of one or two elements
        ((2, 5, 3), 2, ["Gather", "ReduceMean"]),  # windows of three
        ((2, 8, 3), 3, ["Pad", "Gather", "ReduceSum", "Mul"]),  # of three and four
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adaptive_averages(shape, size, operators, dtype):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    x[0, 0, 0], x[0, -1, 1] = np.inf, np.nan  # they stay in their windows
    if dtype == "float64" and "Mean" in operators:
        operators = [*operators[:-1], "Add", "Mul"]
    model = model_of(graph_of(lambda v: ops.adaptive_average_pool(v, size), [x]))
    assert ops_of(model) == operators
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    expected = ops.adaptive_average_pool(x, size)
    np.testing.assert_allclose(run(model, [x])[0], expected, rtol=tolerance, atol=tolerance)


def test_windows_of_channels_first_need_no_transposes():
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 5)).astype("float32")
    model = model_of(graph_of(lambda v: ops.adaptive_average_pool(v, (8, 2), "channels_first"), [x]))
    assert ops_of(model) == ["Gather", "Gather", "Mean", "Gather", "ReduceMean"]
    expected = ops.adaptive_average_pool(x, (8, 2), "channels_first")
    np.testing.assert_allclose(run(model, [x])[0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("index", [2, [1], [0, 2, 1], [[0, 1, 1], [2, 0, 2]]])
def test_gathering_goes_before_transposes(axis, index):
    """Whatever the rank of the indices: two transposes that undo each other are gone."""
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")

    def function(v):
        taken = ops.take(ops.transpose(v, (2, 1, 0)), np.array(index, "int64"), axis=axis)
        return ops.transpose(taken, tuple(reversed(range(taken.ndim))))

    model = model_of(graph_of(function, [x]))
    np.testing.assert_array_equal(run(model, [x])[0], function(x))
    if np.ndim(index) == 1:
        assert ops_of(model) == ["Gather"]


@pytest.mark.parametrize(("extent", "size"), [(2, 4), (3, 6), (1, 5), (4, 4), (2, 5)])
def test_adaptive_averages_of_more_windows_than_elements(extent, size):
    x = np.random.default_rng(0).normal(size=(2, extent, 3)).astype("float32")
    model = model_of(graph_of(lambda v: ops.adaptive_average_pool(v, size), [x]))
    np.testing.assert_allclose(run(model, [x])[0], ops.adaptive_average_pool(x, size), rtol=1e-6)


def test_numbers_far_from_0_are_centred_before_they_are_scaled():
    """One product and one sum would take 18000 from three times 6000, and round both."""

    def function(x):
        return (x - 6000.0) * 3.0 + 1.0

    x = (6000 + RNG.normal(size=(4, 3))).astype("float32")
    model = model_of(graph_of(lambda x: function(x) * 2.0, [x], batch=True), 20)
    exact = (function(x.astype("float64")) * 2.0).astype("float32")
    np.testing.assert_allclose(run(model, [x])[0], exact, rtol=1e-6, atol=1e-6)


def test_long_chains_of_products_and_sums_are_followed_once(monkeypatch):
    graph, calls = _chain(600), Counter()
    step = lines._step
    monkeypatch.setattr(lines, "_step", lambda around, node: calls.update("s") or step(around, node))
    simplify.run(graph)
    assert [node.op for node in graph.nodes] == ["Mul", "Add"]
    assert calls["s"] < 4 * 600


def _chain(length):
    """x times 1.001 plus 0.01, times 1.001 and so on."""
    graph = OnnxGraph({"x0": FLOATS}, {}, [], {}, {"x0": FLOATS}, opset=18)
    for k in range(length):
        op, number = ("Mul", 1.001) if k % 2 else ("Add", 0.01)
        graph.constants[f"c{k}"] = np.float32(number).reshape(())
        graph.types[f"x{k + 1}"] = FLOATS
        graph.nodes.append(OnnxNode(op, (f"x{k}", f"c{k}"), (f"x{k + 1}",)))
    graph.outputs[f"x{length}"] = FLOATS
    return graph
