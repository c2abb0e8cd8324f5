"""Files of models whose open dimensions meet known ones: onnxruntime broadcasts as the model does."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile
from kcompile import layers, ops
from kcompile.export import onnx as onnx_export
from tests.export.onnx_tools import ops_of
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
