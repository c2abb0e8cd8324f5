"""Open dimensions get sizes in a check that the model takes, chosen before anything is compared."""

from __future__ import annotations

import io

import numpy as np
import onnx
import pytest

import kcompile
from kcompile import layers, ops
from kcompile.core import tree
from kcompile.export.onnx import apart, check, dimension_names, signature, sizes
from kcompile.export.onnx.compare import rows
from kcompile.export.onnx.inputs import arguments_of
from kcompile.export.onnx.signature import trace_inference
from kcompile.ir.positions import lie_within
from tests.cli.cli_tools import call, fails, json_of


@kcompile.saving.register_keras_serializable()
class LookedUp(layers.Layer):
    """Ten positions, looked up."""

    def build(self, shape):
        self.table = self.add_weight(shape=(10, shape[-1]), initializer="uniform")

    def call(self, x):
        return x + ops.take(self.table, ops.arange(ops.shape(x)[1]), axis=0)


@kcompile.saving.register_keras_serializable()
class CutOff(LookedUp):
    """Ten positions, cut off."""

    def call(self, x):
        return x + self.table[: ops.shape(x)[1]]


@kcompile.saving.register_keras_serializable()
class Filled(layers.Layer):
    """One number for each pixel, in an array of that shape."""

    def call(self, x):
        return x + ops.full(ops.shape(x), 2.0)


def pooled(x):
    for _ in range(4):
        x = layers.MaxPooling2D()(layers.Conv2D(4, 3, padding="same", activation="relu")(x))
    return layers.Dense(2)(layers.GlobalAveragePooling2D()(x))


def halved(x):
    return layers.Concatenate()([x, layers.UpSampling2D(4)(layers.MaxPooling2D(4)(x))])


# What is computed, of which shape, and with which sizes.
TAKEN = {
    "poolings that leave nothing": (pooled, (None, None, 3), (16, 32)),
    "threes": (layers.Reshape((-1, 3)), (None,), (6, 9)),
    "a long kernel": (lambda x: layers.Conv1D(2, 40)(x), (None, 2), (64, 96)),
    "positions that are looked up": (lambda x: LookedUp()(x), (None, 4), (7, 9)),
    "positions that are cut off": (lambda x: CutOff()(x), (None, 4), (1, 7)),
    "multiples that are asked for": (lambda x: Filled()(halved(x)), (None, None, 3), (8, 12)),
    "multiples": (halved, (None, None, 3), (8, 12)),
    "twenty-fives": (layers.Reshape((-1, 25)), (None,), (50, 75)),
    "elevens, twice": (layers.Reshape((-1, 11, 2)), (None, 2), (22, 33)),
    "a long kernel over long threes": (lambda x: layers.Conv1D(2, 300, strides=3)(x), (None, 2), (300, 301)),
    "borders that go back once": (lambda x: ops.pad(x, ((0, 0), (8, 9)), "reflect"), (None,), (12, 16)),
    "halves side by side": (lambda x: ops.concatenate(ops.split(x, 2, axis=1), -1), (None, 4), (4, 6)),
    "threes beside halves": (
        lambda x: [
            layers.Reshape((-1, 3))(x),
            layers.GlobalMaxPooling1D()(layers.Conv1D(2, 2, 2)(x[..., None])),
        ],
        (None,),
        (6, 9),
    ),
    "gaps in multiples": (
        lambda x: [layers.Conv1D(2, 2, 5, padding="same")(x), layers.Reshape((-1, 10))(x)],
        (None, 2),
        (10, 15),
    ),
    "fifths": (lambda x: ops.stack(ops.split(x, 5, axis=1), 1), (None, 4), (10, 15)),
    "what meets a multiple": (lambda x: x + ops.repeat(x[:, ::6], 6, 1), (None,), (12, 18)),
    "the first of many": (lambda x: ops.top_k(x, 15)[0], (None,), (16, 32)),
    "anything": (layers.Dense(2), (None, 3), (7, 12)),
    "no numbers at all": (lambda x: ops.log(-1 - ops.abs(x)), (None, 3), (7, 12)),
}


def network(function, shape, dtype="float32"):
    given = kcompile.Input(shape, dtype=dtype)
    return kcompile.Model(given, function(given))


@pytest.mark.parametrize("name", TAKEN)
def test_models_with_open_sizes_are_checked_with_what_they_take(name, tmp_path):
    function, shape, expected = TAKEN[name]
    model = network(function, shape)
    assert sizes.sizes_of(model, trace_inference(model), 1) == expected
    model.save(saved := tmp_path / "m.keras")
    found = json_of("export", saved, "-o", tmp_path / "m.onnx", "--check")
    assert found["agrees"] and {row["size"] for row in found["batches"]} <= {*expected}
    for files in ((saved,), (saved, tmp_path / "m.onnx")):
        found = json_of("check", *files)
        assert found["ok"] and {row["size"] for row in found["batches"]} <= {*expected}
    found = json_of("check", tmp_path / "m.onnx")
    assert found["ok"] and len({row["size"] for row in found["batches"]}) == 1
    assert check(model, tmp_path / "m.onnx") < 1e-5


def test_a_model_that_takes_none_of_the_sizes(tmp_path):
    network(layers.Conv1D(2, sizes.MOST + 1), (None, 2)).save(saved := tmp_path / "m.keras")
    path = tmp_path / "m.onnx"
    assert call("export", saved, "-o", path).exit_code == 0
    for command in (("export", saved, "-o", path, "--check"), ("check", saved), ("check", path)):
        result = call(*command)
        assert result.exit_code == 1, result.output
        assert "None of the sizes" in result.output and f", {max(sizes.SIZES)}, " in result.output
        assert "--open-size" in result.output and "something else" not in result.output
    for command in (("export", saved, "-o", path, "--check"), ("check", saved), ("check", path)):
        result = call(*command, "--open-size", sizes.MOST + 1)
        assert result.exit_code == 0 and str(sizes.MOST + 1) in result.output, result.output
    assert "--check" in fails("export", saved, "-o", path, "--open-size", 7)


def test_a_file_alone_is_tried_for_a_while_only(tmp_path, monkeypatch):
    """And no longer than until it runs."""
    sizes_run, run = [], apart.Apart.run

    def noting(self, arrays):
        sizes_run.extend(array.shape[1] for array in arrays.values())
        return run(self, arrays)

    monkeypatch.setattr(apart.Apart, "run", noting)
    network(layers.Conv1D(2, 300), (None, 2)).export(path := tmp_path / "m.onnx", verbose=False)
    assert json_of("check", path)["ok"] and max(sizes_run) == 300
    monkeypatch.setattr("kcompile.cli.check.PATIENCE", 0)
    sizes_run.clear()
    assert call("check", path).exit_code == 1 and {*sizes_run} == {*sizes.SIZES}


def test_extents_that_no_input_tells():
    """Words of a text: what is asked of them is no reason to refuse sizes of another input."""
    text, series = kcompile.Input((), dtype="string"), kcompile.Input((None, 3))
    words = layers.Embedding(9, 3)(layers.TextVectorization(vocabulary=["a", "b"])(text))
    model = kcompile.Model(
        [text, series], [layers.Conv1D(2, 2, padding="same")(words), layers.Conv1D(2, 40)(series)]
    )
    assert sizes.sizes_of(model, trace_inference(model), 1) == (64, 96)


def test_models_are_traced_a_few_times_only(monkeypatch):
    """Of whatever extents are multiples; and inputs of known sizes share none of theirs."""
    traces, traced = [], signature._traced
    monkeypatch.setattr(signature, "_traced", lambda *given: traces.append(given) or traced(*given))
    found = trace_inference(network(layers.Reshape((-1, 2520)), (None,)))
    assert tree.flatten(found.specs)[0].multiple == 2520 and len(traces) < 30
    traces.clear()

    class Refusing(layers.Layer):
        def call(self, x):
            raise ValueError("never")

    many = [kcompile.InputSpec(shape=(None, 2), dtype="float32") for _ in range(20)]
    with pytest.raises(ValueError, match="never"):
        trace_inference(Refusing(), [many])
    assert len(traces) == 3  # names of their own, shared ones, and what broadcasts


def test_nothing_is_compared_where_nothing_is_left(tmp_path):
    def deep(x):
        for _ in range(10):
            x = layers.MaxPooling1D()(x)
        return layers.GlobalAveragePooling1D()(x)

    network(deep, (None, 2)).save(saved := tmp_path / "m.keras")
    result = call("export", saved, "-o", tmp_path / "m.onnx", "--check")
    assert result.exit_code == 1 and "nothing is left" in result.output, result.output
    assert call("check", saved, tmp_path / "m.onnx", "--open-size", 1024).exit_code == 0


def test_a_difference_is_told_with_its_size(tmp_path):
    model = network(layers.Conv1D(2, 40), (None, 2))
    model.export(path := tmp_path / "m.onnx", verbose=False)
    model.set_weights([w + 1 for w in model.get_weights()])
    model.save(saved := tmp_path / "m.keras")
    result = call("check", saved, path)
    assert result.exit_code == 3
    assert "open dimensions of size 64" in result.output or "open dimensions of size 96" in result.output
    with pytest.raises(ValueError, match="open dimensions of size"):
        check(model, path)


def test_the_file_has_no_say_in_sizes(tmp_path):
    """It takes one of them only: the first that the model takes is not left out for that."""
    model, fixed = network(layers.Dense(2), (None, 3)), network(layers.Dense(2), (16, 3))
    model.save(saved := tmp_path / "m.keras")
    fixed.export(path := tmp_path / "m.onnx", verbose=False)
    result = call("check", saved, path)
    assert result.exit_code == 1 and "batch 1, open dimensions of size 7" in result.output


def test_sizes_that_are_given_are_taken(tmp_path):
    model = network(layers.Dense(2), (None, 3))
    model.export(path := tmp_path / "m.onnx", verbose=False)
    assert {row.size for row in rows(model, path, open_size=(11, 13), timed=False)} <= {11, 13}
    assert {row.size for row in rows(model, path, open_size=(11,), timed=False)} == {11}
    assert [row["size"] for row in json_of("check", path, "--open-size", 5)["batches"]] == [5, 5, 5]
    found = json_of("check", path, "--open-size", 5, "--open-size", 9)["batches"]
    assert [row["size"] for row in found] == [5, 9, 5, 9, 5, 9]
    assert [row["batch"] for row in found] == [1, 1, 3, 3, 17, 17]


def test_sizes_by_name(tmp_path):
    """Each of an image: the others get what is given for all, or is found."""
    model = network(lambda x: layers.MaxPooling2D(2)(layers.Conv2D(2, 3)(x)), (None, None, 3))
    model.save(saved := tmp_path / "m.keras")
    path, seen = tmp_path / "m.onnx", set()
    high = ("--open-size", "height=40")
    assert json_of("export", saved, "-o", path, "--check", *high, "--open-size", "width=9")["agrees"]
    for command in (("check", saved), ("check", saved, path), ("check", path)):
        found = json_of(*command, *high, "--open-size", 9)
        seen |= {row["size"] for row in found["batches"]}
        assert found["ok"]
        known = json_of(*command, *high, "--open-size", "width=9")["batches"]
        assert {row.get("size") for row in known} == {None}
        result = call(*command, "--open-size", "hight=3")
        assert result.exit_code == 2 and "'hight'; there are height, width" in result.output
    assert seen == {9}
    assert json_of("bench", saved, "--seconds", 0, *high, "--onnxruntime")["open_size"] == 32
    for wrong in ("height=", "=3", "height=0", "0", "x"):
        assert "is not like" in call("check", saved, "--open-size", wrong).output


def test_sizes_by_name_give_the_arrays_their_shapes(tmp_path):
    traced = trace_inference(network(lambda x: halved(x), (None, None, 3)))
    [known] = sizes.with_sizes(traced, {"height": 3}).specs
    assert known.shape == (None, 12, None, 3)  # four times as high
    assert sizes.with_sizes(traced, {}) is traced


def test_a_size_that_is_not_taken_is_a_wrong_call(tmp_path):
    """Of a file alone, too, if it takes any: else the file is at fault."""
    network(layers.Conv1D(2, 5), (None, 2)).save(saved := tmp_path / "m.keras")
    path = tmp_path / "m.onnx"
    assert call("export", saved, "-o", path).exit_code == 0
    for command in (("check", saved), ("check", saved, path), ("check", path), ("bench", saved),
                    ("export", saved, "-o", path, "--check")):  # fmt: skip
        result = call(*command, "--open-size", 3)
        assert result.exit_code == 2 and len(result.output.strip().splitlines()) == 1, result.output
        assert "--open-size: 3 is not taken" in result.output and "--help" in result.output
    for command in (("check", saved), ("check", path), ("export", saved, "-o", path, "--check")):
        assert call(*command, *["--open-size", 9] * 3).exit_code == 2


def test_what_else_calls_models_with_open_sizes(tmp_path):
    model = network(layers.Conv1D(2, 40), (None, 2))
    model.compile("sgd", "mse")
    model.export(path := tmp_path / "step.onnx", training=True, verbose=False)
    onnx.checker.check_model(path, full_check=True)
    model.save(saved := tmp_path / "m.keras")
    assert json_of("bench", saved, "--batch-size", 1, "--seconds", 0.01)


MEASURED = {  # what is computed, of which shape, and with which size it is measured
    "likely": (layers.Dense(2), (None, 3), 32),
    "threes": (layers.Reshape((-1, 3)), (None,), 30),
    "a long kernel": (lambda x: layers.Conv1D(2, 40)(x), (None, 2), 64),
    "positions": (lambda x: LookedUp()(x), (None, 4), 7),
    "closed": (layers.Dense(2), (4, 3), None),
}


@pytest.mark.parametrize("name", MEASURED)
def test_what_is_measured_has_a_size_that_the_model_takes(name, tmp_path):
    function, shape, size = MEASURED[name]
    model = network(function, shape)
    model.compile("sgd", "mse")
    model.save(saved := tmp_path / "m.keras")
    assert [*model.explain(batch_size=2, file=io.StringIO())] == ["predict", "train"]
    for command in (("explain", "-b", 2), ("bench", "-b", 2, "--seconds", 0)):
        assert json_of(*command, saved)["open_size"] == size
        said = f"open dimensions of size {size}"
        result = call(*command, saved)
        assert result.exit_code == 0 and (said in result.output) == (size is not None)
        if size is not None:
            assert (
                json_of(*command, saved, "--open-size", 2 * size if name != "positions" else 9)["open_size"]
                > size
            )
    if name == "a long kernel":
        for command in ("explain", "bench"):
            assert call(command, saved, "--open-size", 3).exit_code == 2


STEPS = {  # networks, and the names of the open dimensions of an input and of its labels
    "less": (lambda x: layers.Conv1D(2, 5)(x), (None, 3), "sequence", "sequence-4"),
    "a part": (lambda x: layers.Conv1D(2, 5, strides=4, padding="same")(x), (None, 3), "sequence", None),
    "of multiples": (lambda x: layers.Dense(2)(layers.Reshape((-1, 25))(x)), (None,), "25*length", "length"),
    "as many": (lambda x: halved(x), (None, None, 3), "4*height", "4*height"),
}


@pytest.mark.parametrize("name", STEPS)
def test_training_steps_alone_are_run_with_what_names_say(name, tmp_path):
    function, shape, given, labels = STEPS[name]
    model = network(function, shape)
    model.compile("sgd", "mse")
    model.export(path := tmp_path / "step.onnx", training=True, verbose=False)
    named = {
        port.name: [d.dim_param for d in port.type.tensor_type.shape.dim]
        for port in onnx.load(path).graph.input
    }
    assert named[model.inputs[0].name][1] == given and labels in (None, named["y"][1])
    assert json_of("check", path)["ok"]
    if given != "sequence":
        result = call("check", path, "--open-size", 33)
        assert result.exit_code == 2 and "is no multiple of" in result.output


def test_multiples_of_one_name_hold_together(tmp_path):
    """Labels two and three times as long as what is given."""
    given = kcompile.Input((None, 3))
    rows_ = layers.Conv1D(4, 3, padding="same")(given)
    model = kcompile.Model(given, [layers.UpSampling1D(2)(rows_), layers.UpSampling1D(3)(rows_)])
    model.compile("sgd", "mse")
    model.export(path := tmp_path / "step.onnx", training=True, verbose=False)
    assert json_of("check", path)["ok"]


@pytest.mark.parametrize(
    ("names", "known", "extent", "expected"),
    [
        (("2*n", "3*n"), {}, 12, {"n": 6, "2*n": 12, "3*n": 18}),
        (("3*n", "2*n"), {}, 8, {"n": 4, "2*n": 8, "3*n": 12}),
        (("n", "2*n"), {}, 12, {"n": 6, "2*n": 12}),
        (("2*n", "n"), {}, 12, {"n": 6, "2*n": 12}),
        (("2*batch",), {"batch": 3}, 8, {"batch": 3, "2*batch": 6}),
        (("2*n+1", "n//3", "2*n", "m"), {}, 12, {"n": 6, "2*n": 12, "2*n+1": 13, "n//3": 2, "m": 12}),
        (("2*n",), {"2*n": 3}, 8, {"2*n": 3}),
    ],
)
def test_what_names_of_dimensions_stand_for(names, known, extent, expected):
    assert dimension_names.sizes(names, known, extent) == expected


FALLING = {  # positions that small numbers put where nothing is
    "quotients": lambda x: ops.where(x > 0, 100 // ops.maximum(x, 1), 0),
    "differences": lambda x: ops.where(x > 0, 60 - ops.minimum(x, 60), 0),
    "one number": lambda x: ops.where(ops.equal(x, 1), 50, 0),
}


@pytest.mark.parametrize("name", FALLING)
def test_drawn_positions_lie_where_something_is(name, tmp_path):
    model = network(lambda x: layers.Embedding(50, 3)(FALLING[name](x)), (4,), "int32")
    traced = trace_inference(model)
    for batch in (1, 3, 17):
        arguments = arguments_of(traced, batch, np.random.default_rng(batch))
        assert lie_within(traced.graph, tree.flatten(arguments))
    model.export(path := tmp_path / "m.onnx", verbose=False)
    assert check(model, path) < 1e-6
    assert not lie_within(traced.graph, [np.full((1, 4), 1, "int32")])
