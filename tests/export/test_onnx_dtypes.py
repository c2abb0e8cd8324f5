"""Inputs and weights of other dtypes than float32, and models that compute in them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile
from kcompile import layers, ops
from kcompile.core import dtypes
from kcompile.export.onnx import check
from kcompile.export.onnx.compare import difference, tolerance_of
from kcompile.export.onnx.emit import UnsupportedOps
from tests.export.networks import NETWORKS, POLICIES, one_by_one
from tests.export.onnx_tools import LATEST, graph_of, inferred, model_of, run

INTS = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")


def widened(path):
    """The file with float32 where it takes or gives bfloat16, which onnxruntime's Python has not."""
    file, half = onnx.load(path), onnx.TensorProto.BFLOAT16
    for kind in ("input", "output"):
        for tensor in getattr(file.graph, kind):
            if tensor.type.tensor_type.elem_type != half:
                continue
            inner, tensor.name = tensor.name, f"{tensor.name}_wide"
            tensor.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
            if kind == "input":
                file.graph.node.insert(0, onnx.helper.make_node("Cast", [tensor.name], [inner], to=half))
            else:
                file.graph.node.append(onnx.helper.make_node("Cast", [inner], [tensor.name], to=1))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(file.SerializeToString(), options)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
def test_networks_in_other_dtypes(network, policy, tmp_path):
    model, path = network.model(), tmp_path / "m.onnx"
    limit = max(1e-5, tolerance_of(model))
    arrays = network.arrays(3, network.extents[-1])
    opset = (13, 20, LATEST)[(NETWORKS.index(network) + POLICIES.index(policy)) % 3]  # each somewhere
    model.export(path, opset_version=opset, verbose=False)
    inferred(path)
    session = widened(path)
    names = [one.name for one in session.get_inputs()]
    found = session.run(None, dict(zip(names, arrays, strict=True)))
    for one, wanted in zip(found, one_by_one(model, arrays), strict=True):
        wanted = wanted.astype("float32") if wanted.dtype.name == "bfloat16" else wanted
        assert difference(one, wanted) <= limit


def test_weights_of_halves_stay_so_in_the_file(policy, tmp_path):
    x = kcompile.Input((None, 6))
    h = layers.Dense(8)(layers.LSTM(8, return_sequences=True)(x))
    kcompile.Model(x, h).export(tmp_path / "m.onnx", verbose=False)
    kinds = {t.data_type for t in onnx.load(tmp_path / "m.onnx").graph.initializer if np.prod(t.dims) > 16}
    own = {"float16": 10, "bfloat16": 16, "float64": 11}[policy.removeprefix("mixed_")]
    assert kinds == {own}


def test_a_dense_layer_along_an_lstm_in_halves_does_not_crash_onnxruntime(tmp_path):
    """onnxruntime 1.32 does at Transpose (1, 0, 2), MatMul of float16: the transpose comes behind."""
    x = kcompile.Input((None, 4), dtype="float16")
    h = layers.LSTM(4, return_sequences=True, dtype="float16")(x)
    kcompile.Model(x, layers.Dense(7, dtype="float16")(h)).export(tmp_path / "m.onnx", verbose=False)
    found = [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node]
    assert found.index("MatMul") < len(found) - 1 - found[::-1].index("Transpose")


SHAPES = {
    "flip": lambda x: ops.flip(x, 1),
    "where": lambda x: ops.where(ops.cast(x, "bool"), x, x[:, ::-1]),
    "pad": lambda x: ops.pad(x, [[0, 0], [1, 1]]),
    "equal": lambda x: ops.equal(x, x[:, ::-1]),
    "take": lambda x: ops.take(x, np.array([2, 0]), axis=1),
    "dense": lambda x: layers.Dense(2)(ops.cast(x, "float32")),
}
NUMBERS = {
    "add": lambda x: x + x,
    "relu": ops.relu,
    "sort": lambda x: ops.sort(x, axis=-1),
    "max": lambda x: ops.max(x, axis=1),
    "clip": lambda x: ops.clip(x, 0, 1),
    "embedding": lambda x: layers.Embedding(3, 2)(x),
}
# No operator of onnxruntime has a kernel for these, and no wider dtype holds the same numbers.
NONE_FOR_UINT64 = ("max", "where")


CASES = [(name, dtype) for name in (*SHAPES, *NUMBERS) for dtype in INTS if name in SHAPES or dtype != "bool"]


@pytest.mark.parametrize(("name", "dtype"), CASES)  # of flags no numbers are asked
def test_inputs_of_ints(name, dtype, tmp_path):
    x = kcompile.Input((4,), dtype=dtype)
    model, path = kcompile.Model(x, (SHAPES | NUMBERS)[name](x)), tmp_path / "m.onnx"
    for opset in (13, LATEST):
        if dtype == "uint64" and name in NONE_FOR_UINT64:
            with pytest.raises(UnsupportedOps, match="does not take uint64"):
                model.export(path, opset_version=opset, verbose=False)
            continue
        model.export(path, opset_version=opset, verbose=False)
        element = onnx.load(path).graph.input[0].type.tensor_type.elem_type
        assert element == onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        assert check(model, path) < 1e-6


@pytest.mark.parametrize("dtype", [name for name in INTS if name != "uint64"])
def test_sums_of_products_of_ints(dtype):
    """Which wrap around, as they do in their own dtype."""
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, (2, 3, 4)).astype(dtype)

    def function(x):
        return (
            ops.einsum("abd,aed->abe", x, x),
            ops.einsum("abd->da", x),
            ops.einsum("abd,dc->abc", x, x[0].T),
        )

    found = run(model_of(graph_of(function, [x])), [x])
    for got, want in zip(found, function(x), strict=True):
        np.testing.assert_array_equal(got, want, strict=True)


def test_sums_of_products_that_onnxruntime_does_not_compute_are_refused_by_name(tmp_path):
    x = kcompile.Input((4,), dtype="uint64")
    model = kcompile.Model(x, layers.Lambda(lambda a: ops.einsum("ab,ab->a", a, a))(x))
    with pytest.raises(NotImplementedError, match="Einsum does not take uint64"):
        model.export(tmp_path / "m.onnx", format="onnx", verbose=False)
    assert not (tmp_path / "m.onnx").exists()


def test_attention_along_an_lstm_in_halves_does_not_crash_onnxruntime(tmp_path):
    x = kcompile.Input((5, 4), dtype="float16")
    h = layers.LSTM(4, return_sequences=True, dtype="float16")(x)
    model = kcompile.Model(x, layers.MultiHeadAttention(2, 2, dtype="float16")(h, h))
    model.export(tmp_path / "m.onnx", verbose=False)
    found = widened(tmp_path / "m.onnx").run(None, {model.inputs[0].name: np.ones((2, 5, 4), "float16")})
    assert np.isfinite(found[0]).all()


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_of_bfloat16_carries_a_wider_dtype_where_the_opset_must(reverse, tmp_path):
    """Opset 13 to 15: each step rounds as before, so the file gives what that of opset 16 does."""
    from kcompile.models import Model

    x, start = kcompile.Input((5, 4), dtype="bfloat16", name="x"), kcompile.Input((4,), name="start")

    def step(h, row):
        h = ops.tanh(h * 1.5 + ops.cast(row, "float32"))
        return h, (ops.cast(h, "bfloat16") * 3, row)

    def walk(x, start):
        last, (seen, same) = ops.scan(step, start, ops.transpose(x, (1, 0, 2)), reverse=reverse)
        return [last, ops.transpose(seen, (1, 0, 2)), same]

    class Walk(layers.Layer):
        def call(self, x, start):
            return walk(x, start)

    model = Model([x, start], Walk(autocast=False)(x, start))
    rng, found = np.random.default_rng(0), []
    arrays = [rng.normal(size=(2, 5, 4)).astype("float32"), rng.normal(size=(2, 4)).astype("float32")]
    for opset in (13, 16):
        model.export(tmp_path / "m.onnx", opset_version=opset, verbose=False)
        inferred(tmp_path / "m.onnx")
        session = widened(tmp_path / "m.onnx")
        names = [one.name for one in session.get_inputs()]
        found.append(session.run(None, dict(zip(names, arrays, strict=True))))
    for old, new in zip(*found, strict=True):
        np.testing.assert_array_equal(old, new)
    wanted = model([arrays[0].astype(dtypes.numpy_dtype("bfloat16")), arrays[1]])
    np.testing.assert_allclose(found[0][0], np.asarray(wanted[0]), rtol=1e-5)
