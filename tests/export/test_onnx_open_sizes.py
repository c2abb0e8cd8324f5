"""Files of models over open sizes: few nodes, and the model's results at each size."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

import kcompile
from kcompile import layers, ops
from kcompile.core import tree
from kcompile.core.symbolic import symbol
from kcompile.ops import spans
from tests.export.onnx_tools import LATEST, inferred, ops_of

IMAGE, SERIES, VOLUME = (None, None, 3), (None, 3), (None, None, None, 3)
AROUND = ["Transpose", "Transpose"]  # into ONNX's layout and back


def same(layer, *given, **kwargs):
    return lambda x: layer(*given, padding="same", **kwargs)(x)


# What a model does with an input of this shape, and all that its file has to hold.
CASES = {
    "conv 1d": (SERIES, same(layers.Conv1D, 4, 3, strides=2), [*AROUND, "Conv"]),
    "conv 2d": (IMAGE, same(layers.Conv2D, 4, 3, strides=2), [*AROUND, "Conv"]),
    "conv 2d, steps beyond the kernel": (IMAGE, same(layers.Conv2D, 4, 2, strides=3), [*AROUND, "Conv"]),
    "conv 2d, kernel of one": (IMAGE, same(layers.Conv2D, 4, 1, strides=2), [*AROUND, "Conv"]),
    "conv 2d, one open size": ((None, 7, 3), same(layers.Conv2D, 4, 3, strides=2), [*AROUND, "Conv"]),
    "conv 2d, groups": ((None, None, 4), same(layers.Conv2D, 4, 3, strides=2, groups=2), [*AROUND, "Conv"]),
    "conv 3d": (VOLUME, same(layers.Conv3D, 4, 3, strides=2), [*AROUND, "Conv"]),
    "separable": (IMAGE, same(layers.SeparableConv2D, 4, 3, strides=2), [*AROUND, "Conv", "Conv"]),
    "depthwise": (SERIES, same(layers.DepthwiseConv1D, 3, strides=2), [*AROUND, "Conv"]),
    "max 2d": (IMAGE, same(layers.MaxPooling2D, 2), [*AROUND, "MaxPool"]),
    "max 3d, overlapping": (VOLUME, same(layers.MaxPooling3D, 3, 2), [*AROUND, "MaxPool"]),
    "average 1d": (SERIES, same(layers.AveragePooling1D, 2), [*AROUND, "AveragePool"]),
    "average 2d, overlapping": (IMAGE, same(layers.AveragePooling2D, 3, 2), [*AROUND, "AveragePool"]),
    "average 3d": (VOLUME, same(layers.AveragePooling3D, 2), [*AROUND, "AveragePool"]),
    "transposed": (IMAGE, same(layers.Conv2DTranspose, 4, 3, strides=2), [*AROUND, "ConvTranspose"]),
    "crop": (IMAGE, layers.Cropping2D(((0, 1), (1, 1))), ["Slice"]),
    "last": (SERIES, lambda x: x[:, -1], ["Gather"]),
    "all but the first": (SERIES, lambda x: x[:, 1:], ["Slice"]),
    "every third, without the last": (SERIES, lambda x: x[:, 1:-1:3], ["Slice"]),
    "backwards": (SERIES, lambda x: x[:, ::-1], ["Slice"]),
    "every second backwards": (SERIES, lambda x: x[:, ::-2], ["Slice"]),
    "tile": (SERIES, lambda x: ops.tile(x, (1, 2, 3)), ["Tile"]),
    "ones": (SERIES, ops.ones_like, ["Expand", "Shape"]),
    "glu": ((None, 6), ops.glu, ["Mul", "Sigmoid", "Split"]),
    "reflected": (IMAGE, lambda x: ops.pad(x, ((0, 0), (1, 1), (0, 1), (0, 0)), "reflect"), ["Pad"]),
    "last repeated": (SERIES, lambda x: ops.pad(x, ((0, 0), (4, 9), (0, 0)), "edge"), ["Pad"]),
    "mirrored by one": (
        IMAGE,
        lambda x: ops.pad(x, ((0, 0), (1, 1), (0, 1), (0, 0)), "symmetric"),
        ["Pad"],
    ),
    "patches": (IMAGE, lambda x: ops.image.extract_patches(x, 2), [*AROUND, "Conv"]),
    "patches in zeros": (
        IMAGE,
        lambda x: ops.image.extract_patches(x, 3, 2, padding="same"),
        [*AROUND, "Conv"],
    ),
    "volumes enlarged": (
        VOLUME,
        layers.UpSampling3D((1, 2, 3)),
        ["Mul", "Reshape", "Shape", "Tile", "Unsqueeze"],
    ),
    "close": (
        SERIES,
        lambda x: ops.cast(ops.isclose(x, 0.5, 0.1, 0.1), "float32"),
        [
            "Abs",
            "Cast",
            "Equal",
            "LessOrEqual",
            "Or",
            "Sub",
        ],
    ),
}
SIZES = (2, 5, 8)


def written(given, function, path, opset):
    x = kcompile.Input(given)
    model = kcompile.Model(x, function(x))
    model.export(path, format="onnx", opset_version=opset, verbose=False)
    return model, onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("opset", [13, 20, LATEST])
@pytest.mark.parametrize("name", CASES)
def test_few_nodes_and_the_results_of_the_model(name, opset, tmp_path):
    given, function, expected = CASES[name]
    model, session = written(given, function, path := tmp_path / "m.onnx", opset)
    assert sorted(ops_of(inferred(path))) == sorted(expected)
    rng = np.random.default_rng(0)
    for rows in (1, 3, 17):
        for size in SIZES:
            shape = [size + k if d is None else d for k, d in enumerate(given)]
            x = rng.normal(size=(rows, *shape)).astype("float32")
            (found,) = session.run(None, {session.get_inputs()[0].name: x})
            wanted = np.asarray(model(x, training=False))
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


MIRRORED = ["Concat", "Neg", "Pad", "Shape", "Slice", "Slice"]


@pytest.mark.parametrize("opset", [13, 19, LATEST])
@pytest.mark.parametrize(
    "given, widths, expected",
    [
        ((None, 3), ((0, 0), (2, 3), (0, 0)), MIRRORED),
        ((None, 3), ((0, 0), (0, 7), (0, 0)), MIRRORED),
        ((None, 3), ((0, 0), (5, 0), (4, 1)), [*MIRRORED, "Gather"]),
        ((None, None, 2), ((0, 0), (2, 0), (1, 5), (0, 0)), [*MIRRORED, "Concat", "Slice"]),
    ],
)
def test_mirrored_as_often_as_it_takes(given, widths, expected, opset, tmp_path):
    """Of sizes smaller than the padding, too, there and back again."""
    pad = lambda x: ops.pad(x, widths, "symmetric")  # noqa: E731
    _, session = written(given, pad, path := tmp_path / "m.onnx", opset)
    assert sorted(ops_of(inferred(path))) == sorted(expected) or opset == 13
    for size in (1, 2, 3, 9):
        x = np.random.default_rng(0).normal(size=[3, *(size if d is None else d for d in given)])
        (found,) = session.run(None, {session.get_inputs()[0].name: x.astype("float32")})
        np.testing.assert_array_equal(found, np.pad(x.astype("float32"), widths, "symmetric"))


@pytest.mark.parametrize("opset", [13, LATEST])
@pytest.mark.parametrize(
    "layer, expected",
    [
        (layers.Conv2D(4, 3, strides=2), [*AROUND, "Conv"]),
        (layers.Conv2D(4, 3, padding="same"), [*AROUND, "Conv"]),  # both paddings add up
        (layers.DepthwiseConv2D(3), [*AROUND, "Conv"]),
        (layers.MaxPooling2D(3, 2), [*AROUND, "MaxPool", "Relu"]),  # nothing there is below the zeros
        (layers.AveragePooling2D(3, 2), [*AROUND, "AveragePool"]),  # zeros count
    ],
)
def test_zeros_around_are_padding_of_what_comes_next(layer, expected, opset, tmp_path):
    function = lambda x: layer(layers.ZeroPadding2D(((1, 2), (0, 1)))(x))  # noqa: E731
    first = layers.ReLU() if "Relu" in expected else layers.Identity()
    model, session = written(IMAGE, lambda x: function(first(x)), path := tmp_path / "m.onnx", opset)
    assert sorted(ops_of(inferred(path))) == sorted(expected)
    x = np.random.default_rng(1).normal(size=(3, 8, 7, 3)).astype("float32")
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(found, model(x), rtol=1e-5, atol=1e-5)


def test_zeros_around_what_may_be_negative_stay_before_a_maximum(tmp_path):
    function = lambda x: layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))  # noqa: E731
    model, session = written(IMAGE, function, path := tmp_path / "m.onnx", 20)
    assert "Pad" in ops_of(inferred(path))
    x = -np.random.default_rng(1).uniform(1, 2, (1, 6, 6, 3)).astype("float32")
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    assert found.max() == 0
    np.testing.assert_array_equal(found, model(x))


def test_padding_that_no_attribute_says_stays(tmp_path):
    """As much as "same" takes, and one more."""
    function = lambda x: same(layers.Conv2D, 4, 3, strides=2)(layers.ZeroPadding2D(1)(x))  # noqa: E731
    model, session = written(IMAGE, function, path := tmp_path / "m.onnx", 20)
    inferred(path)
    for size in (4, 7):
        x = np.random.default_rng(1).normal(size=(3, size, size + 1, 3)).astype("float32")
        (found,) = session.run(None, {session.get_inputs()[0].name: x})
        np.testing.assert_allclose(found, model(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda x: ops.top_k(x, 3)[0], ["TopK"]),
        (lambda x: ops.top_k(x, 3), ["Cast", "TopK"]),
        (lambda x: ops.split(x, [2, 3], axis=1), ["Split"]),
        (lambda x: ops.hard_tanh(x), ["Clip"]),
        (lambda x: [x[:, :2], x[:, 3:]], ["Slice", "Slice"]),  # the third column is left out
        (lambda x: [x[:, :4], x[:, 3:]], ["Slice", "Slice"]),  # the fourth is in both
        (lambda x: ops.one_hot(ops.cast(x, "int32"), 3), ["Cast", "Clip", "Gather"]),
        (lambda x: ops.one_hot(ops.cast(x, "int32"), 3, axis=0), ["Cast", "Clip", "Gather"]),
        (lambda x: ops.one_hot(ops.cast(x, "int32"), 99), ["Cast", "Mod", "OneHot"]),
        (lambda x: ops.one_hot(ops.cast(x, "int32"), 3, axis=1), ["Cast", "Mod", "OneHot"]),
        (lambda x: ops.pad(x, ((0, 0), (2, 9)), "wrap"), ["Pad"]),
        (lambda x: ops.pad(x, ((0, 0), (2, 9)), "reflect"), ["Gather"]),  # farther than Pad goes
        (
            lambda x: ops.scatter(ops.cast(x > 0, "int32")[..., None], x, (2,)),
            ["Cast", "Cast", "Expand", "Greater", "Reshape", "ScatterND"],
        ),
        (lambda x: ops.scatter(-ops.cast(ops.stack([x > 0, x > 1], 2), "int32"), x, (2, 3)), None),
        (lambda x: ops.bincount(ops.cast(x, "int32"), minlength=2), None),  # numbers beyond the table
        (lambda x: ops.segment_sum(x[0], ops.cast(x[0], "int32"), 2), None),
    ],
)
def test_shorter_forms(function, expected, tmp_path):
    model, session = written((7,), function, path := tmp_path / "m.onnx", 20)
    assert expected is None or sorted(ops_of(inferred(path))) == expected
    for rows in (1, 3, 17):
        x = np.random.default_rng(rows).normal(1, 2, (rows, 7)).astype("float32")
        x[0, 2] = np.nan if expected == ["Clip"] else x[0, 2]
        found = session.run(None, {session.get_inputs()[0].name: x})
        wanted = [np.asarray(one) for one in tree.flatten(model(x))]
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("extent", [0, 1, 2, 3, 7, 8])
@pytest.mark.parametrize("step", [1, 2, 3, -1, -2, -5])
def test_spans_are_pythons_slices(extent, step):
    n = symbol("n", low=0)
    for start in (None, 0, 2, 9, -1, -3, -9):
        for stop in (None, 0, 1, 5, -1, -2, -9):
            begin, size = spans.span(start, stop, step, n)
            wanted = range(extent)[slice(start, stop, step)]
            found = [x if isinstance(x, int) else x.evaluate({"n": extent}) for x in (begin, size)]
            assert found[1] == len(wanted)
            assert not wanted or found[0] == wanted[0]


def test_bounds_that_hold_for_every_extent():
    n, m = symbol("n"), symbol("m")
    assert spans.fixed_bounds(*spans.span(1, -1, 1, n), 1, n) == (1, -1)
    assert spans.fixed_bounds(*spans.span(None, None, 2, n), 2, n) == (0, spans.END)
    assert spans.fixed_bounds(*spans.span(-3, None, 1, n), 1, n) == (-3, spans.END)
    assert spans.fixed_bounds(*spans.span(None, None, -1, n), -1, n) == (-1, spans.FIRST)
    assert spans.fixed_bounds(0, m, 1, n) is None
    assert spans.fixed_bounds(m, n - m, 1, n) is None


@pytest.mark.parametrize("opset", [13, 20, LATEST])
@pytest.mark.parametrize("how", ["crop_to_aspect_ratio", "pad_to_aspect_ratio", "center"])
@pytest.mark.parametrize("size", [(4, 5), (7, 3), (1, 9)])
def test_shapes_of_images_of_any_size(size, how, opset, tmp_path):
    """As a model of that size alone: larger, smaller, larger in one direction."""
    layer = layers.CenterCrop(*size) if how == "center" else layers.Resizing(*size, **{how: True})
    _, session = written(IMAGE, layer, path := tmp_path / "m.onnx", opset)
    limits = {"center": 16, "crop_to_aspect_ratio": 12, "pad_to_aspect_ratio": 31}
    assert len(ops_of(inferred(path))) <= limits[how] + 6 * (opset == 13)  # which reads shapes in two steps
    for given in ((2, 3), (9, 10), (3, 11), (8, 2), size):
        x = np.random.default_rng(0).normal(size=(3, *given, 3)).astype("float32")
        (found,) = session.run(None, {session.get_inputs()[0].name: x})
        np.testing.assert_allclose(found, layer(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("opset", [13, LATEST])
@pytest.mark.parametrize("axis", [1, 2])
def test_running_products_of_any_length(axis, opset, tmp_path):
    function = lambda x: ops.cumprod(x, axis=axis)  # noqa: E731
    model, session = written((None, 3), function, path := tmp_path / "m.onnx", opset)
    inferred(path)
    for steps in (1, 5, 70):
        x = np.random.default_rng(0).uniform(0.9, 1.1, (3, steps, 3)).astype("float32")
        (found,) = session.run(None, {session.get_inputs()[0].name: x})
        np.testing.assert_allclose(found, model(x), rtol=1e-5)


@pytest.mark.parametrize("mode", ["int8", "int4"])
@pytest.mark.parametrize("opset", [13, 17, LATEST])
def test_quantized_layers_in_every_opset(mode, opset, tmp_path):
    model = kcompile.Sequential([kcompile.Input((7,)), layers.Dense(6, activation="relu"), layers.Dense(3)])
    for layer in model.layers:
        layer.quantize(mode)
    model.export(path := tmp_path / "m.onnx", opset_version=opset, verbose=False)
    inferred(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for rows in (1, 3, 17):
        x = np.random.default_rng(rows).normal(size=(rows, 7)).astype("float32")
        (found,) = session.run(None, {session.get_inputs()[0].name: x})
        np.testing.assert_allclose(found, model(x), rtol=1e-5, atol=1e-5)


def assert_agrees_at_lengths(tmp_path, call, lengths, reference=None, tolerance=1e-5):
    """The exported file gives what the model gives, or `reference`, for sequences of three numbers a step."""
    inputs = kcompile.Input((None, 3))
    model = kcompile.Model(inputs, call(inputs))
    path = str(tmp_path / "model.onnx")
    model.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path)
    for n in lengths:
        x = np.random.default_rng(n).normal(size=(2, n, 3)).astype("float32")
        (got,) = session.run(None, {session.get_inputs()[0].name: x})
        want = (reference or model)(x)
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance, err_msg=f"{n} steps")


@pytest.mark.parametrize("kind", ["Conv1D", "MaxPooling1D", "AveragePooling1D"])
@pytest.mark.parametrize(("window", "stride"), [(1, 2), (1, 4), (2, 3), (2, 5), (4, 5)])
def test_windows_with_gaps_between_them(tmp_path, kind, window, stride):
    """onnxruntime pads less than nothing there, if it is to find the padding."""
    named = {"filters": 4, "kernel_size": window} if kind == "Conv1D" else {"pool_size": window}
    layer = getattr(kcompile.layers, kind)(strides=stride, padding="same", **named)
    assert_agrees_at_lengths(tmp_path, layer, range(1, 21))


@pytest.mark.parametrize("start", [-1, -2, -3])
@pytest.mark.parametrize("step", [-1, -2, -3])
def test_backwards_from_a_negative_start(tmp_path, start, step):
    """Of a shorter sequence nothing is left."""

    def backwards(x):
        return x[:, start::step]

    assert_agrees_at_lengths(tmp_path, backwards, range(1, 6), reference=backwards, tolerance=0)
