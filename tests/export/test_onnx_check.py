"""What a check of an exported file feeds it, and what it compares."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

import kcompile
from kcompile import layers, ops
from kcompile.core import tree
from kcompile.export.onnx import check
from kcompile.export.onnx.compare import rows
from kcompile.export.onnx.emit import UnsupportedOps
from kcompile.export.onnx.inputs import TEXTS, arguments_of
from kcompile.export.onnx.inspection import describe_onnx, random_feed
from kcompile.export.onnx.session import Session
from kcompile.export.onnx.signature import trace_inference
from kcompile.export.onnx.sizes import sizes_of
from kcompile.ir.positions import ANY, CAREFUL
from tests.cli.cli_tools import call, json_of


def network(layer, shape, dtype):
    given = kcompile.Input(shape, dtype=dtype)
    return kcompile.Model(given, layer(given))


def fed(model, batch=40):
    traced = trace_inference(model)
    sizes = sizes_of(model, traced, batch)
    return [tree.flatten(arguments_of(traced, batch, np.random.default_rng(0), size)) for size in sizes]


def vocabulary(x):
    return layers.IntegerLookup(vocabulary=[3, 50, 200])(x)


LIMITS = {
    "words": (lambda x: layers.Embedding(10_000, 2)(x), "int32", 10_000),
    "words, given as floats": (lambda x: layers.Embedding(50, 2)(x), "float32", 50),
    "the smaller of two": (
        lambda x: [layers.Embedding(90, 2)(x), layers.Embedding(30, 2)(ops.reshape(x, (-1, 2, 2)))],
        "int64",
        30,
    ),
    "classes": (lambda x: ops.one_hot(x, 9), "int32", 9),
    "numbers that are divided": (lambda x: layers.Embedding(9, 2)(x // 3), "int32", 27),
    "numbers that are cut off": (lambda x: layers.Embedding(9, 2)(ops.clip(x, 0, 8)), "int64", ANY),
    "remainders": (lambda x: layers.Embedding(9, 2)(ops.mod(x, 9)), "uint8", ANY),
    "remainders of small numbers": (lambda x: layers.Embedding(9, 2)(ops.mod(x, 9)), "int8", 128),
    "numbers that are looked up": (lambda x: layers.Embedding(4, 2)(vocabulary(x)), "int32", ANY),
    "rounded numbers": (
        lambda x: layers.Embedding(9, 2)(ops.cast(ops.cast(x, "float32") / 7.0, "int32")),
        "int32",
        63,
    ),
    "numbers, and others made of them": (
        lambda x: layers.Embedding(40, 2)(x) + layers.Embedding(9, 2)(x // 3),
        "int32",
        27,
    ),
    "numbers below others": (lambda x: layers.Embedding(20, 2)(ops.cumsum(x, axis=1)), "int32", 5),
    "what weights tell": (
        lambda x: layers.Embedding(9, 2)(ops.cast(layers.Embedding(20, 1)(x)[..., 0], "int32")),
        "int32",
        20,
    ),
    "numbers of hundreds": (lambda x: layers.Embedding(50, 2)(x // 100), "int32", 5000),
    "many remainders": (lambda x: layers.Embedding(900, 2)(ops.mod(x, 900)), "int32", 1800),
    "few numbers that fit": (lambda x: layers.Embedding(9, 2)(x + 7), "int32", CAREFUL),
    "an image": (lambda x: ops.cast(x, "float32") / 255, "uint8", 256),
    "whole numbers": (lambda x: ops.cast(x, "float32") / 9, "int8", 128),
}


@pytest.mark.parametrize("name", LIMITS)
def test_whole_numbers_are_positions_in_what_is_looked_up(name, tmp_path):
    function, dtype, limit = LIMITS[name]
    model = network(function, (4,), dtype)
    (numbers,), _ = fed(model)
    assert numbers.min() >= 0 and limit // 2 <= numbers.max() < limit
    assert (numbers == numbers.round()).all()
    model.export(path := tmp_path / "m.onnx", verbose=False)
    assert check(model, path) < 1e-6


def test_one_word_that_is_wrong_is_found(tmp_path):
    model = network(layers.Embedding(500, 3), (None,), "int32")
    model.export(path := tmp_path / "m.onnx", verbose=False)
    model.layers[-1].embeddings.assign(model.layers[-1].embeddings + (np.arange(500) > 400)[:, None])
    with pytest.raises(ValueError, match="something else"):
        check(model, path)


@pytest.mark.parametrize("multiple", [1, 4])
def test_two_extents_of_open_dimensions(multiple, tmp_path):
    halved = lambda x: layers.Add()([x, layers.UpSampling1D(multiple)(layers.MaxPooling1D(multiple)(x))])  # noqa: E731
    model = network(halved, (None, 2), "float32")
    lengths = [arrays[0].shape[1] for arrays in fed(model)]
    assert lengths == ([7, 12] if multiple == 1 else [8, 12])
    model.export(path := tmp_path / "m.onnx", verbose=False)
    check(model, path)


def test_a_file_that_holds_for_one_length_only(tmp_path):
    model = network(layers.Dense(2), (None, 3), "float32")
    fixed = network(layers.Dense(2), (7, 3), "float32")
    fixed.set_weights(model.get_weights())
    fixed.export(path := tmp_path / "m.onnx", verbose=False)
    model.save(saved := tmp_path / "m.keras")
    assert call("check", saved, path).exit_code != 0


def stateful(dtype="float32"):
    kcompile.utils.set_random_seed(0)
    inputs = kcompile.Input(batch_shape=(3, 5, 2), dtype=dtype)
    return kcompile.Sequential([inputs, layers.GRU(4, stateful=True, dtype=dtype), layers.Dense(2)])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_states_that_are_wrong_are_found(dtype, tmp_path):
    model = stateful(dtype)
    model.export(path := tmp_path / "m.onnx", verbose=False)
    check(model, path)
    model.save(saved := tmp_path / "m.keras")
    assert json_of("check", saved, path)["ok"]
    proto = onnx.load(path)
    kept = json.loads({p.key: p.value for p in proto.metadata_props}["kcompile.state"])
    ((old, new),) = kept.items()
    (node,) = (node for node in proto.graph.node if new in node.output)
    node.output[:] = ["forgotten"]
    proto.graph.node.append(onnx.helper.make_node("Identity", [old], [new]))
    onnx.save(proto, path)
    with pytest.raises(ValueError, match="something else"):
        check(model, path)
    assert json_of("check", saved, path, code=3)["problems"]


def test_states_of_compiled_programs_are_checked(tmp_path, monkeypatch):
    model = stateful()
    model.save(saved := tmp_path / "m.keras")
    assert json_of("check", saved)["ok"]

    call_of_model = kcompile.Sequential.__call__

    def forgetful(self, *args, **kwargs):
        result = call_of_model(self, *args, **kwargs)
        if isinstance(args[0], np.ndarray):
            self.reset_states() if hasattr(self, "reset_states") else self.layers[0].reset_states()
        return result

    monkeypatch.setattr(kcompile.Sequential, "__call__", forgetful)
    assert json_of("check", saved, code=3)["problems"]


def test_a_file_alone_that_halves_its_images(tmp_path):
    image = kcompile.Input((None, None, 2))
    x = image
    for _ in range(3):
        x = layers.AveragePooling2D(2)(x)
    x = layers.UpSampling2D(8)(x)
    kcompile.Model(image, layers.Concatenate()([image, x])).export(path := tmp_path / "m.onnx", verbose=False)
    assert json_of("check", path)["ok"]


def test_onnxruntime_adds_no_lines_of_its_own(tmp_path, capfd):
    model = network(layers.Embedding(3, 2), (4,), "int32")
    model.export(path := tmp_path / "m.onnx", verbose=False)
    with pytest.raises(Exception, match="out of data bounds"):
        Session(path).run([np.full((1, 4), 7, "int32")])
    assert capfd.readouterr() == ("", "")


def test_the_opset_that_has_what_text_needs_is_named(tmp_path):
    words = layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=4)
    model = kcompile.Sequential([kcompile.Input((), dtype="string"), words, layers.Embedding(9, 2)])
    with pytest.raises(UnsupportedOps, match="opset 20 or later has the operators"):
        model.export(tmp_path / "m.onnx", opset_version=13)


def test_positions_along_the_batch_are_of_a_batch_of_one(tmp_path):
    nodes, which = kcompile.Input((4,)), kcompile.Input((6,), dtype="int32")
    model = kcompile.Model([nodes, which], ops.take(nodes, which, axis=0))
    model.export(path := tmp_path / "m.onnx", verbose=False)
    assert [row.difference for row in rows(model, path, batches=(1, 3))] == [0, 0]


@pytest.mark.parametrize("op", [ops.floor_divide, ops.mod])
def test_runtimes_do_not_divide_whole_numbers_by_zero(op, tmp_path):
    a, b = (kcompile.Input((50,), dtype="int32") for _ in range(2))
    model = kcompile.Model([a, b], op(a, b))
    model.export(path := tmp_path / "m.onnx", verbose=False)
    assert [row.difference for row in rows(model, path, batches=(1, 17))] == [0, 0]


def test_a_file_of_one_batch_size_is_run_with_that(tmp_path):
    given = kcompile.Input(batch_shape=(2, 5, 3))
    model = kcompile.Model(given, layers.LSTM(3, stateful=True)(given))
    model.export(path := tmp_path / "m.onnx", verbose=False)
    assert [row["batch"] for row in json_of("check", path)["batches"]] == [2]
    model = network(layers.Dense(3), (5,), "float32")
    model.export(path, verbose=False)
    assert [row["batch"] for row in json_of("check", path)["batches"]] == [1, 3, 17]


def test_signs_of_constants_are_constants(tmp_path):
    model = network(lambda x: ops.mod(x, 1.3), (4,), "float32")
    model.export(path := tmp_path / "m.onnx", verbose=False)
    assert "Sign" not in [node.op_type for node in onnx.load(path).graph.node]
    assert check(model, path) < 1e-6


def test_inputs_are_known_by_their_names(tmp_path):
    a, b = kcompile.Input((4,), name="a"), kcompile.Input((4,), name="b")
    model = kcompile.Model([a, b], a - b * 2)
    model.export(path := tmp_path / "m.onnx", verbose=False)
    file = onnx.load(path)
    file.graph.input.extend([file.graph.input.pop(0)])
    onnx.save(file, path)
    assert check(model, path) < 1e-6


def test_a_fixed_batch_whose_number_is_used_stays_fixed(tmp_path):
    class Numbered(kcompile.Model):
        def call(self, x):
            return x * np.arange(x.shape[0], dtype="float32")[:, None]

    model = Numbered()
    model(np.ones((3, 4), "float32"))
    given = kcompile.Input(batch_shape=(3, 4))
    model.export(path := tmp_path / "m.onnx", input_signature=[given], verbose=False)
    (found,) = Session(path).run([np.ones((3, 4), "float32")])
    np.testing.assert_array_equal(found[:, 0], [0, 1, 2])


ALONE = {
    "words": (lambda x: layers.Embedding(10_000, 2, mask_zero=True)(x), "int32", 10_000),
    "words, given as floats": (lambda x: layers.Embedding(50, 2)(x), "float32", 50),
    "the smaller of two": (
        lambda x: [layers.Embedding(90, 2)(x), layers.Embedding(30, 2)(ops.reshape(x, (-1, 2, 2)))],
        "int64",
        30,
    ),
    "small numbers": (lambda x: layers.Embedding(900, 2)(x), "uint8", 256),
    "numbers that are computed with, too": (
        lambda x: layers.Embedding(90, 2)(x) + layers.Embedding(30, 2)(x * 20), "int32", CAREFUL,
    ),
    "numbers": (lambda x: x * 2, "int32", CAREFUL),
    "yes or no": (lambda x: ops.logical_not(x), "bool", 2),
}  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
def test_files_alone_are_run_with_positions(name, tmp_path):
    function, dtype, limit = ALONE[name]
    network(function, (4,), dtype).export(path := tmp_path / "m.onnx", verbose=False)
    (numbers,) = random_feed(describe_onnx(path), 40).values()
    assert numbers.dtype == dtype
    assert numbers.min() >= 0 and limit // 2 <= numbers.max() < limit
    assert json_of("check", path)["ok"]


def test_what_is_named_as_a_batch_is_one_wherever_it_stands(tmp_path):
    """Rows of one input, columns of another; a number without dimensions; text as our models get it."""
    floating, text = onnx.TensorProto.FLOAT, onnx.TensorProto.STRING
    make, tensor = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    nodes = [make("MatMul", ["columns", "rows"], ["z"]), make("Mul", ["z", "by"], ["y"])]
    nodes.append(make("Identity", ["words"], ["same"]))
    rows_, columns = tensor("rows", floating, ["n", 3]), tensor("columns", floating, [2, "n"])
    inputs = [rows_, columns, tensor("by", floating, []), tensor("words", text, ["n", 40])]
    outputs = [tensor("y", floating, [2, 3]), tensor("same", text, ["n", 40])]
    graph = onnx.helper.make_graph(nodes, "g", inputs, outputs)
    opsets = [onnx.helper.make_opsetid("", 20)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10), path := tmp_path / "m.onnx")
    found = json_of("check", path)
    assert found["ok"] and [row["batch"] for row in found["batches"]] == [1, 3, 17]
    drawn = random_feed(describe_onnx(path), 3)
    assert {name: array.shape for name, array in drawn.items()} == {
        "rows": (3, 3), "columns": (2, 3), "by": (), "words": (3, 40),
    }  # fmt: skip
    assert {*drawn["words"].flat} <= {*TEXTS} and len({*drawn["words"].flat}) > 3


@kcompile.saving.register_keras_serializable()
class Counting(layers.Layer):
    """Its number of calls is none of its results."""

    def build(self, shape):
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        self.count.assign(self.count + 1.0)
        return x * 2.0


def test_variables_that_no_result_depends_on_are_compared_and_put_back(tmp_path, monkeypatch):
    model = kcompile.Sequential([kcompile.Input((3,)), Counting()])
    model.save(saved := tmp_path / "m.keras")
    assert json_of("check", saved)["ok"]
    model.export(path := tmp_path / "m.onnx", verbose=False)
    before = float(np.asarray(model.layers[0].count.array))
    check(model, path)
    assert float(np.asarray(model.layers[0].count.array)) == before
    call_of_model = kcompile.Sequential.__call__

    def forgetful(self, *args, **kwargs):
        result = call_of_model(self, *args, **kwargs)
        if isinstance(args[0], np.ndarray):
            self.layers[0].count.assign(0.0)
        return result

    monkeypatch.setattr(kcompile.Sequential, "__call__", forgetful)
    assert json_of("check", saved, code=3)["problems"]
