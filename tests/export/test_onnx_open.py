"""Files of models whose open dimensions meet known ones: onnxruntime broadcasts as the model does."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile
from kcompile import layers, ops
from kcompile.core.symbolic import symbol
from kcompile.export import onnx as onnx_export
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from tests.export.onnx_tools import LATEST, model_of, ops_of
from tests.export.onnx_tools import run as run_model
from tests.models.test_open_broadcasts import CASES, trained_model


def run(path, arrays):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {i.name: a for i, a in zip(session.get_inputs(), arrays, strict=True)})[0]


@pytest.mark.parametrize("name", CASES)
def test_files_take_what_the_model_takes(name, tmp_path):
    make, reference, sizes = CASES[name]
    onnx_export.export_onnx(make(), path := tmp_path / "open.onnx", verbose=False)
    rng = np.random.default_rng(0)
    for shapes in sizes:
        arrays = [rng.normal(size=s).astype("float32") for s in shapes]
        np.testing.assert_allclose(run(path, arrays), reference(*arrays), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("steps", [5, 1])
def test_a_network_with_such_a_dimension(steps, tmp_path):
    model, rng = trained_model(), np.random.default_rng(1)
    onnx_export.export_onnx(model, path := tmp_path / "open.onnx", verbose=False)
    x = [rng.normal(size=(6, n, 4)).astype("float32") for n in (steps, 5)]
    np.testing.assert_allclose(run(path, x), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    assert onnx_export.check(model, path) < 1e-5


class Prefixes(layers.Layer):
    """x[k] = a x[k - 1] + b, which is associative in pairs."""

    def __init__(self, reverse, **kwargs):
        super().__init__(**kwargs)
        self.reverse = reverse

    def call(self, x):
        def both(first, then):
            return first[0] * then[0], first[1] * then[0] + then[1]

        return ops.associative_scan(both, (ops.sigmoid(x), x), reverse=self.reverse, axis=1)[1]


@pytest.mark.parametrize("reverse", [False, True])
def test_prefixes_of_so_many_steps_as_there_are(reverse, tmp_path):
    x = kcompile.Input((None, 3))
    model = kcompile.Model(x, Prefixes(reverse)(x))
    onnx_export.export_onnx(model, path := tmp_path / "open.onnx", verbose=False)
    for steps in (1, 2, 9):
        given = np.random.default_rng(steps).normal(size=(4, steps, 3)).astype("float32")
        want = Prefixes(reverse)(given)
        np.testing.assert_allclose(model(given), want, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(run(path, [given]), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "operators"),
    [
        (lambda x: x[:, 2], ["Slice", "Gather"]),
        (lambda x: x[:, -2], ["Slice", "Gather"]),
        (lambda x: x[:, -1], ["Gather"]),
        (lambda x: x[:, 2, 1:], ["Slice", "Gather"]),
        (lambda x: ops.slice(x, (0, 4, 1), (1, 1, 2)), ["Slice", "Slice"]),
        (lambda x: ops.slice(x, (0, 0, 1), (1, 1, 2)), ["Slice"]),
        (lambda x: ops.slice(x, (0, -3, 0), (1, 1, 3)), ["Slice", "Slice"]),
        (lambda x: ops.slice_update(x, (0, 0, 1), ops.ones((1, 1, 2))), ["ScatterND"]),
    ],
)
def test_elements_and_blocks_are_the_nearest_that_there_are(function, operators, tmp_path):
    """A constant position is kept inside of an open extent by two slices, without computing of extents."""
    x = kcompile.Input((None, 3))
    model = kcompile.Model(x, function(x))
    onnx_export.export_onnx(model, path := tmp_path / "open.onnx", verbose=False)
    assert ops_of(onnx.load(path)) == operators
    for steps in (1, 2, 5):
        given = np.random.default_rng(steps).normal(size=(4, steps, 3)).astype("float32")
        np.testing.assert_array_equal(run(path, [given]), model.predict(given, verbose=0))


class Numbers(layers.Layer):
    """As many numbers as there are steps, or fractions of them."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, x):
        return self.function(ops.shape(x)[1])


@pytest.mark.parametrize(
    "function",
    [
        lambda n: ops.arange(n),
        lambda n: ops.arange(1, n, 2),
        lambda n: ops.arange(3, n),  # nothing, of one and of two
        lambda n: ops.arange(n, 3, -2),
        lambda n: ops.arange(1.5, n, 0.5),
        lambda n: ops.arange(n, 0, -2),
        lambda n: ops.arange(n, -1, -1),
        lambda n: ops.arange(0, n, 2.0),
        lambda n: ops.arange(0.25, n, 0.5),
        lambda n: ops.arange(n, 0, -1.5),
        lambda n: ops.cast(ops.arange(n), "float32") / ops.cast(2 * n - 1, "float32"),
        lambda n: ops.eye(n, 3, k=1),
        lambda n: ops.eye(3, n, dtype="int32"),
        lambda n: ops.identity(n),
        lambda n: ops.tri(n),
        lambda n: ops.tri(n, n + 2, k=-1, dtype="bool"),
        lambda n: ops.while_loop(lambda k: k < n, lambda k: (k + 1,), (np.int32(3),))[0],
        lambda n: ops.fori_loop(0, n, lambda k, total: total + k, ops.zeros((), "int32")),
        lambda n: ops.fori_loop(n, 2 * n, lambda k, total: total + k, ops.zeros((), "int32")),
    ],
)
def test_numbers_up_to_an_open_extent(function, tmp_path):
    x = kcompile.Input((None,))
    model = kcompile.Model(x, Numbers(function)(x))
    onnx_export.export_onnx(model, path := tmp_path / "open.onnx", verbose=False)
    for steps in (1, 2, 7, 8):
        given, want = np.zeros((3, steps), "float32"), np.asarray(function(steps))
        for found in (run(path, [given]), np.asarray(model(given))):
            assert found.dtype == want.dtype
            np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("endpoint", [True, False])
def test_as_many_numbers_between_two_as_there_are_steps(endpoint, tmp_path):
    x = kcompile.Input((None,))
    model = kcompile.Model(x, Numbers(lambda n: ops.linspace(-1.0, 2.0, n, endpoint=endpoint))(x))
    onnx_export.export_onnx(model, path := tmp_path / "open.onnx", verbose=False)
    for steps in (1, 2, 7):
        given, want = np.zeros((3, steps), "float32"), np.linspace(-1, 2, steps, endpoint, dtype="float32")
        for found in (run(path, [given]), np.asarray(model(given))):
            np.testing.assert_allclose(found, want, rtol=1e-6, strict=True)


def test_open_extents_are_compared_as_tensors(tmp_path):
    x = kcompile.Input((None,))
    for compared in (lambda n: n > 3, lambda n: n >= 3, lambda n: n < 2 * n):
        model = kcompile.Model(x, Numbers(lambda n, way=compared: ops.cast(way(n), "int32"))(x))
        with pytest.raises(TypeError, match=r"known only at run time; compare it as a tensor: ops\.cast"):
            model.export(tmp_path / "open.onnx", verbose=False)
    model = kcompile.Model(x, Numbers(lambda n: ops.cast(n, "int32") > 3)(x))
    onnx_export.export_onnx(model, path := tmp_path / "open.onnx", verbose=False)
    assert [bool(run(path, [np.zeros((1, n), "float32")])) for n in (3, 4)] == [False, True]


def test_numbers_up_to_an_open_extent_in_steps_that_are_no_fractions(tmp_path):
    x = kcompile.Input((None,))
    model = kcompile.Model(x, Numbers(lambda n: ops.arange(0, n, 0.1))(x))
    with pytest.raises(ValueError, match="must be whole, halves"):
        model.export(tmp_path / "open.onnx", verbose=False)


def test_coordinates_are_cast_once(tmp_path):
    x = kcompile.Input((None,))
    model = kcompile.Model(
        x, Numbers(lambda n: ops.cast(ops.arange(n), "float32") / ops.cast(n - 1, "float32"))(x)
    )
    onnx_export.export_onnx(model, path := tmp_path / "open.onnx", verbose=False)
    assert sorted(ops_of(onnx.load(path))) == sorted(
        ["Shape", "Squeeze", "Range", "Cast", "Add", "Squeeze", "Cast", "Div"]
    )


class Attending(layers.Layer):
    """Attention with a mask or a bias."""

    def __init__(self, kind, **kwargs):
        super().__init__(**kwargs)
        self.kind = kind

    def call(self, query, key, seen):
        what = {"bias": seen} if self.kind == "bias" else {"mask": seen}
        return ops.dot_product_attention(query, key, key, **what, is_causal=self.kind == "causal")


@pytest.mark.parametrize("opset", [23, 24, 25, LATEST])
@pytest.mark.parametrize("kind", ["mask", "bias", "causal"])
def test_masks_of_one_row_or_column(kind, opset, tmp_path):
    """Onnxruntime asks for a row for each query up to opset 24; keys beyond a mask are hidden by ONNX."""
    for queries, keys in ((None, None), (3, 5)):
        for shape in ((1, 1, keys), (1, queries, 1), (2, 1, 1), (2, queries, keys)):
            seen = kcompile.Input(shape, dtype="float32" if kind == "bias" else "bool")
            query, key = kcompile.Input((queries, 2, 4)), kcompile.Input((keys, 2, 4))
            model = kcompile.Model([query, key, seen], Attending(kind)(query, key, seen))
            model.export(tmp_path / "m.onnx", verbose=False, opset_version=opset)
            assert "Attention" in ops_of(onnx.load(tmp_path / "m.onnx"))
            assert onnx_export.check(model, tmp_path / "m.onnx") < 1e-5


def joined_behind_what_is_left(x):
    return ops.reshape(x[:, 3:], (x.shape[0], -1, x.shape[2] * 2))


def joined_with_what_is_left(x):
    return ops.reshape(x[:, 3:], (-1, x.shape[2], 2))


def made_flat_by_rows(x):
    """From two dimensions, of which both may be empty."""
    return ops.reshape(x[:, 3:, 1:], (x.shape[0], -1))


@pytest.mark.parametrize(
    "function", [joined_behind_what_is_left, joined_with_what_is_left, made_flat_by_rows]
)
def test_shapes_of_slices_that_leave_nothing(function):
    """0 elements do not tell a dimension that is left to them."""
    x = make_parameter("x", TensorType((symbol("batch"), symbol("steps"), symbol("width"), 2), "float32"))
    model = model_of(trace(function, [x])[0], LATEST)
    for steps, width in ((5, 3), (3, 3), (2, 5), (4, 1)):
        given = np.ones((4, steps, width, 2), "float32")
        [found] = run_model(model, [given])
        np.testing.assert_array_equal(found, function(given), strict=True)


def test_shapes_behind_windows_need_no_computing():
    """A window fits, so something is left, though two less may be nothing."""
    x = make_parameter("x", TensorType((symbol("batch"), symbol("steps"), symbol("width"), 2), "float32"))

    def function(x):
        y = ops.conv(x, np.ones((3, 3, 2, 2), "float32"))
        return ops.reshape(y, (y.shape[0], y.shape[1], y.shape[2] * 2))

    assert ops_of(model_of(trace(function, [x])[0])) == ["Transpose", "Conv", "Transpose", "Reshape"]
