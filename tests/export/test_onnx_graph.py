"""The graph that an export writes: which operators, which names, which dimensions."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from kcompile import ops
from kcompile.core.symbolic import symbol
from kcompile.export.onnx import cleanup, write
from kcompile.export.onnx.emit import UnsupportedOps, emit_graph
from kcompile.export.onnx.graph import OnnxGraph, OnnxNode
from kcompile.ir.graph import set_origin
from kcompile.ir.op import REGISTRY, make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable, name_scope
from tests.export.onnx_tools import LATEST, graph_of, model_of, ops_of, run

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


def weight(name, *shape):
    with name_scope("net"), name_scope("layer"):
        return Variable(normal(*shape), name=name)


def same(function, *arrays, opset=18, batches=(2, 3)):
    """The model of a function with an open batch, which agrees with it for several batch sizes."""
    model = model_of(graph_of(function, arrays, batch=True), opset)
    for batch in batches:
        given = [
            normal(batch, *a.shape[1:]) if a.dtype.kind == "f" else a[:1].repeat(batch, 0) for a in arrays
        ]
        for got, expected in zip(run(model, given), [function(*given)], strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)  # the bound that export promises
    return model


def constants_of(model):
    return {c.name: onnx.numpy_helper.to_array(c) for c in model.graph.initializer}


# --- layout -------------------------------------------------------------------------------------------------


def test_transposes_between_convolutions_and_pools_vanish_and_the_bias_joins_its_convolution():
    kernel, bias, second = weight("kernel", 3, 3, 3, 4), weight("bias", 4), weight("second", 1, 1, 4, 2)

    def function(x):
        y = ops.max_pool(ops.relu(ops.conv(x, kernel, padding="same") + bias), 2)
        return ops.tanh(ops.conv(y, second)) * 2

    model = same(function, normal(1, 6, 6, 3))
    assert ops_of(model) == ["Transpose", "Conv", "Relu", "MaxPool", "Conv", "Tanh", "Mul", "Transpose"]
    stored = constants_of(model)
    np.testing.assert_array_equal(stored["net/layer/kernel"], kernel.numpy().transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(stored["net/layer/bias"], bias.numpy())
    assert len(stored) == 4  # the weights, and the factor 2


def test_transposes_that_something_needs_stay():
    kernel = weight("kernel", 1, 1, 2, 3)

    def function(x):
        y = ops.conv(x, kernel)
        return ops.relu(y) + ops.cumsum(y, axis=1)

    assert ops_of(same(function, normal(1, 4, 4, 2))).count("Transpose") == 2  # x, and y


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize(
    ("axes", "keepdims", "operators"),
    [
        ((1, 2), False, []),
        ((1, 2), True, ["Reshape"]),
        ((-1,), False, []),
        ((2,), False, ["Transpose"]),
        ((0, 3), False, []),
    ],
)
def test_a_reduction_works_in_the_layout_of_a_convolution(axes, keepdims, operators, opset):
    """The transpose of its input goes behind it, or away."""
    x, kernel = normal(2, 7, 6, 3), weight("kernel", 3, 3, 3, 4)
    model = same(lambda v: ops.max(ops.conv(v, kernel), axis=axes, keepdims=keepdims), x, opset=opset)
    assert ops_of(model) == ["Transpose", "Conv", "ReduceMax", *operators]


def test_a_bias_that_something_else_needs_too_stays_an_addition():
    kernel, bias = weight("kernel", 1, 1, 2, 3), weight("bias", 3)

    def function(x):
        y = ops.conv(x, kernel)
        return ops.relu(y + bias) * y

    assert "Add" in ops_of(same(function, normal(1, 4, 4, 2)))


def test_operands_that_broadcast_are_permuted_too():
    kernel, image = weight("kernel", 1, 1, 2, 3), weight("image", 4, 5, 1)
    model = same(lambda x: ops.relu(ops.conv(x, kernel) * image), normal(1, 4, 5, 2))
    assert ops_of(model) == ["Transpose", "Conv", "Mul", "Relu", "Transpose"]


# --- dimensions ---------------------------------------------------------------------------------------------


def test_reshape_infers_the_batch_and_the_output_names_it():
    model = same(lambda x: ops.reshape(x, (-1, 12)), normal(2, 3, 4))
    assert ops_of(model) == ["Reshape"]
    dims = model.graph.output[0].type.tensor_type.shape.dim
    assert (dims[0].dim_param, dims[1].dim_value) == ("batch", 12)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_dimensions_that_are_computed():
    def function(x):
        n = ops.shape(x)[0]
        return ops.broadcast_to(ops.cast(n, "float32"), (n * 2, 3)) + ops.concatenate([x, x], axis=0)

    same(function, normal(2, 3), batches=(1, 4))


def test_floor_division_of_an_open_dimension():
    x = make_parameter("x", TensorType((symbol("batch"), symbol("time"), 2)))
    graph = trace(lambda v: ops.reshape(v[:, ::3], (-1, 2)), [x])[0]
    model = model_of(graph)
    for time in (1, 3, 7):
        given = normal(2, time, 2)
        np.testing.assert_array_equal(run(model, [given])[0], given[:, ::3].reshape(-1, 2))


def test_an_empty_batch():
    model = model_of(graph_of(lambda x: ops.relu(ops.reshape(x, (-1, 6))), [normal(1, 2, 3)], batch=True))
    assert run(model, [normal(0, 2, 3)])[0].shape == (0, 6)


# --- opsets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opset", [13, 17, 18, 20, LATEST])
def test_composites_are_one_node_where_the_opset_has_them(opset):
    scale, offset = weight("scale", 5), weight("offset", 5)
    normalized = same(lambda x: ops.layer_normalization(x, scale, offset), normal(1, 3, 5), opset=opset)
    assert (ops_of(normalized) == ["LayerNormalization"]) == (opset >= 17)
    gelu = same(lambda x: ops.gelu(x, approximate=False), normal(1, 3), opset=opset)
    assert (ops_of(gelu) == ["Gelu"]) == (opset >= 20)
    scaled = same(lambda x: ops.rms_normalization(x, scale), normal(1, 3, 5), opset=opset)
    assert (ops_of(scaled) == ["RMSNormalization"]) == (opset >= 23)
    reduced = same(lambda x: ops.mean(x, axis=1), normal(1, 3), opset=opset)
    assert len(reduced.graph.node[0].input) == (2 if opset >= 18 else 1)


@pytest.mark.parametrize("opset", [13, LATEST])
def test_the_file_says_its_opset_and_the_oldest_format_that_has_it(opset):
    model = model_of(graph_of(ops.relu, [normal(2)]), opset)
    assert [(i.domain, i.version) for i in model.opset_import] == [("", opset)]
    assert model.ir_version == onnx.helper.find_min_ir_version_for(list(model.opset_import))
    assert model.producer_name == "kcompile"


# --- clean-up -----------------------------------------------------------------------------------------------


def test_an_output_that_is_an_input_or_a_constant_or_another_output():
    def function(x):
        y = ops.relu(x)
        return [x, ops.ones((2,)), y, y, ops.stop_gradient(y)]

    model = model_of(graph_of(function, [normal(3)]))
    x = normal(3)
    found = run(model, [x])
    expected = [x, np.ones(2), *[np.maximum(x, 0)] * 3]
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_what_no_output_needs_is_not_written():
    unused = weight("unused", 3)

    def function(x):
        ops.exp(x + unused)
        return x * 2

    model = model_of(graph_of(function, [normal(3)]))
    assert ops_of(model) == ["Mul"]
    assert all("unused" not in name for name in constants_of(model))


def test_a_weight_used_in_two_forms_keeps_both():
    kernel = weight("kernel", 1, 1, 2, 2)
    model = same(lambda x: ops.conv(x, kernel) + ops.matmul(x, kernel), normal(1, 3, 3, 2))
    assert {"net/layer/kernel", "net/layer/kernel:T3201"} <= constants_of(model).keys()


# --- errors -------------------------------------------------------------------------------------------------


def test_all_unsupported_ops_are_listed_with_their_layers(tmp_path):
    def layer(x, path):
        outer = set_origin(path)
        key = ops.cast(x, "uint32")
        noise = REGISTRY["random_bits"](key, shape=(2,))
        set_origin(outer)
        return x + ops.cast(noise, "float32")

    with pytest.raises(UnsupportedOps) as caught:
        model_of(graph_of(lambda x: layer(layer(x, "net/noise"), "net/more"), [normal(2)]))
    assert [(path, op) for path, op, _ in caught.value.ops] == [
        ("net/noise", "random_bits"),
        ("net/more", "random_bits"),
    ]
    assert "net/noise: random_bits (it has no ONNX form)" in str(caught.value)


def test_the_checker_finds_faults(tmp_path):
    graph = emit_graph(graph_of(ops.relu, [normal(3)]), ["x"], ["y"], 18)
    graph.nodes[0].attrs["nonsense"] = 1
    with pytest.raises(RuntimeError, match="does not pass ONNX's checker"):
        write.write(cleanup.run(graph), tmp_path / "m.onnx", "m", 18)
    assert list(tmp_path.iterdir()) == []


def test_what_is_computed_twice_is_computed_once():
    """Constants of few numbers are the same by what they hold, others by their names."""
    few, many = np.ones(2, "float32"), np.ones(20, "float32")
    constants = {
        "a": few,
        "b": few.copy(),
        "c": 2 * few,
        "d": many,
        "e": many.copy(),
        "i": np.ones(2, "int32"),
    }
    nodes = [OnnxNode("Add", ("x", name), (f"{name}+",)) for name in constants]
    nodes += [
        OnnxNode("Elu", ("b+",), ("f",), {"alpha": 0.5}),
        OnnxNode("Elu", ("a+",), ("g",), {"alpha": 0.5}),
        OnnxNode("Elu", ("a+",), ("h",), {"alpha": 1.0}),
        OnnxNode("Elu", ("b+",), ("y",), {"alpha": 0.5}),
        OnnxNode("TopK", ("x", "i"), ("", "first"), {"axis": 0}),
        OnnxNode("TopK", ("x", "i"), ("second", "third"), {"axis": 0}),
        OnnxNode("Sum", ("f", "g", "h", "first", "third"), ("z",)),
    ]
    graph = OnnxGraph({}, dict.fromkeys("yz"), nodes, constants)
    cleanup.drop_repeated(graph)
    assert [node.outputs[-1] for node in graph.nodes] == [
        *("a+", "c+", "d+", "e+", "i+", "f", "h", "y", "first", "third", "z")
    ]
    assert graph.nodes[-1].inputs == ("f", "f", "h", "first", "third")
    assert graph.nodes[5].inputs == graph.nodes[7].inputs == ("a+",)


# --- what is known before any call --------------------------------------------------------------------------


@pytest.mark.parametrize("opset", [13, LATEST])
def test_what_weights_alone_decide_is_computed_once(opset):
    kernel, mask = weight("kernel", 3, 3, 2, 4), np.arange(9).reshape(3, 3, 1, 1) < 5
    masked = same(lambda x: ops.conv(x, kernel * mask, padding="same"), normal(1, 6, 6, 2), opset=opset)
    assert ops_of(masked) == ["Transpose", "Conv", "Transpose"]
    full, a, b = weight("full", 6, 5), weight("a", 6, 2), weight("b", 2, 5)
    lowered = same(lambda x: ops.matmul(x, full + ops.matmul(a, b) * 0.5), normal(1, 6), opset=opset)
    assert ops_of(lowered) == ["MatMul"]


def test_what_takes_more_room_than_it_is_made_of_stays_computed():
    small = np.arange(100 * 300, dtype="int8").reshape(100, 300)
    kept = Variable(small, name="kept", dtype="int8", trainable=False)
    model = same(lambda x: ops.matmul(x, ops.cast(kept, "float32")) / 1000, normal(1, 100))
    assert ops_of(model) == ["Cast", "MatMul", "Div"]
    assert model.ByteSize() < 2 * small.nbytes


@pytest.mark.parametrize(
    "build",
    [
        lambda x, w: ops.matmul(x, ops.inv(w)),
        lambda x, w: ops.matmul(x, ops.matmul(*ops.qr(w))),
        lambda x, w: ops.matmul(x, ops.svd(w, full_matrices=False)[2]),
        lambda x, w: ops.matmul(x, ops.where(ops.abs(w) > 0.5, w, 0.0)),
        lambda x, w: ops.matmul(x, ops.lstsq(w, w)),
    ],
)
def test_what_loops_compute_of_weights_alone_is_computed_once(build):
    w = Variable(np.random.default_rng(3).normal(size=(4, 4)).astype("float32") + np.eye(4, dtype="float32"))
    assert ops_of(same(lambda x: build(x, w), normal(2, 4))) == ["MatMul"]
