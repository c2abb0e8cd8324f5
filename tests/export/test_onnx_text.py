"""Text in ONNX files: layers over text compute the same in onnxruntime, and what cannot be is named."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile
from kcompile import layers
from kcompile.export import onnx as onnx_export
from kcompile.export.onnx.compare import as_str
from kcompile.export.onnx.emit import UnsupportedOps
from kcompile.export.onnx.inspection import faults

WORDS = np.array([["a", "b", "zz"], ["", "c", "a"]], object)
TEXTS = ["Hello, World! hello", "  The\tquick\nBROWN Fox; É(é)  \r", "", "Quick", "world\vhello\fhello"]
TEXTS += ["@[`{/:AZaz"]  # the neighbours of letters
VOCABULARY = ["hello", "world", "hello world", "quick", "Quick", "World!", "É", "é", "éé", "azaz"]


def over_text(layer, shape):
    x = kcompile.Input(shape, dtype="string", name="text")
    return kcompile.Model(x, layer(x))


def check(model, inputs, path, opset=20):
    model.export(path, opset_version=opset, verbose=False)
    assert faults(path) == ""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (name,) = (one.name for one in session.get_inputs())
    for rows in (inputs, inputs[:1], np.concatenate([inputs] * 5)):
        (found,), expected = session.run(None, {name: rows}), np.asarray(model(rows))
        assert found.shape == expected.shape
        if expected.dtype.kind == "O":
            assert as_str(found) == as_str(expected)
        else:
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=1e-6)
    return onnx.load(path).graph


@pytest.mark.parametrize("opset", [13, 20, 23])
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"mask_token": ""},
        {"output_mode": "multi_hot", "mask_token": "zz"},
        {"output_mode": "count", "max_tokens": 9, "pad_to_max_tokens": True},
        {"output_mode": "tf_idf", "idf_weights": [0.5, 1.0, 2.0]},
    ],
    ids=str,
)
def test_string_lookup(kwargs, opset, tmp_path):
    model = over_text(layers.StringLookup(vocabulary=["a", "b", "c"], **kwargs), (3,))
    graph = check(model, WORDS, tmp_path / "m.onnx", opset)
    assert [node.op_type for node in graph.node].count("LabelEncoder") == 1
    assert graph.node[0].domain == "ai.onnx.ml"


def test_one_hot_rows_and_texts_that_must_be_known(tmp_path):
    model = over_text(layers.StringLookup(vocabulary=["a", "b", "c"], output_mode="one_hot"), (1,))
    check(model, WORDS[:, :1], tmp_path / "m.onnx")
    known = over_text(layers.StringLookup(vocabulary=["a", "", "c"], num_oov_indices=0), (2,))
    check(known, WORDS[1:, 1:], tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    (found,) = session.run(None, {"text": np.array([["a", "other"]], object)})
    assert found.tolist() == [[0, -1]]  # where the layer raises


@pytest.mark.parametrize("mask", [None, ""])
def test_numbers_become_text(mask, tmp_path):
    """A classifier that returns the names of classes."""
    x = kcompile.Input((4,), name="x")
    scores = layers.Dense(5, kernel_initializer=kcompile.initializers.RandomNormal(seed=1))(x)
    names = layers.StringLookup(vocabulary=["a", "é", "c"], invert=True, mask_token=mask)
    model = kcompile.Model(x, names(kcompile.ops.argmax(scores, axis=-1)))
    rows = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
    graph = check(model, rows, tmp_path / "m.onnx", 13)
    assert len(set(as_str(np.asarray(model(rows))))) > 2
    assert graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.STRING


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"output_sequence_length": 2},
        {"output_sequence_length": 9, "standardize": None},
        {"output_mode": "multi_hot", "standardize": "strip_punctuation"},
        {"output_mode": "count", "standardize": "lower"},
        {"output_mode": "tf_idf", "idf_weights": list(np.arange(10) / 4), "standardize": None},
        {"ngrams": 2, "standardize": None},
        {"ngrams": (2, 1), "output_sequence_length": 4, "standardize": None},
        {"ngrams": (2, 3), "output_mode": "count", "standardize": None},
    ],
    ids=str,
)
def test_text_vectorization(kwargs, tmp_path):
    model = over_text(layers.TextVectorization(vocabulary=VOCABULARY, **kwargs), (1,))
    check(model, np.array(TEXTS, object)[:, None], tmp_path / "m.onnx")


@pytest.mark.parametrize("kwargs", [{}, {"ngrams": 2}, {"ngrams": 2, "output_sequence_length": 4}], ids=str)
def test_text_that_is_split_already(kwargs, tmp_path):
    layer = layers.TextVectorization(
        vocabulary=["a", "b", "a b", "zz"], split=None, standardize=None, **kwargs
    )
    check(over_text(layer, (3,)), WORDS, tmp_path / "m.onnx")


def test_a_text_classifier(tmp_path):
    """From the text to the class in one file, whose open dimensions have names; `check` runs it on texts."""
    kcompile.utils.set_random_seed(1)
    model = kcompile.Sequential(
        [
            kcompile.Input((), dtype="string", name="text"),
            layers.TextVectorization(vocabulary=VOCABULARY, standardize="lower", name="words"),
            layers.Embedding(12, 4, mask_zero=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    path = tmp_path / "m.onnx"
    graph = check(model, np.array(TEXTS, object), path)
    dims = graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param for d in dims] == ["batch"]
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.STRING
    assert onnx_export.check(model, path) < 1e-5


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (lambda: layers.Hashing(num_bins=3, name="l"), "l: Hashing (it takes text)"),
        (
            lambda: layers.TextVectorization(vocabulary=["a"], split="character", name="l"),
            "l: TextVectorization (ONNX has no operator that splits text into characters)",
        ),
        (
            lambda: layers.TextVectorization(vocabulary=["a"], standardize=np.char.lower, name="l"),
            "l: TextVectorization (its `standardize` is a function of Python)",
        ),
        (
            lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=2, name="l"),
            "l: StringLookup (ONNX has no hash of text to spread unknown ones over 2 indices)",
        ),
        (
            lambda: layers.StringLookup(vocabulary=[b"\xff"], name="l"),
            "l: StringLookup (its vocabulary has tokens that are not UTF-8: b'\\xff')",
        ),
    ],
)
def test_what_cannot_be_written_is_named(layer, reason, tmp_path):
    x, y = (kcompile.Input((1,), dtype="string") for _ in range(2))
    first = layer()(x)
    second = layers.Hashing(num_bins=4, name="second")(y)
    model = kcompile.Model([x, y], [kcompile.ops.cast(first, "float32"), second])
    (tmp_path / "m.onnx").write_bytes(b"old")
    with pytest.raises(UnsupportedOps) as caught:
        model.export(tmp_path / "m.onnx")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("2 operation(s)")
    assert {line.strip() for line in lines[1:3]} == {reason, "second: Hashing (it takes text)"}
    assert (tmp_path / "m.onnx").read_bytes() == b"old"


def test_splitting_needs_opset_20(tmp_path):
    model = over_text(layers.TextVectorization(vocabulary=["a"]), (1,))
    with pytest.raises(UnsupportedOps, match="ONNX has String\\w+ from opset 20 on"):
        model.export(tmp_path / "m.onnx", opset_version=19)


def test_a_training_step_begins_behind_the_text(tmp_path):
    """It takes what the layers for text give, under their names; other inputs keep theirs."""
    vectorize = layers.TextVectorization(vocabulary=["the", "cat"], output_sequence_length=4)
    text, numbers = kcompile.Input((), dtype="string", name="text"), kcompile.Input((2,), name="numbers")
    words = layers.Flatten()(layers.Embedding(4, 3)(vectorize(text)))
    model = kcompile.Model([text, numbers], layers.Dense(2)(layers.Concatenate()([words, numbers])))
    model.compile("sgd", "mse")
    model.export(path := tmp_path / "m.onnx", training=True, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == [vectorize.name, "numbers", "y"]
    names, state = [one.name for one in session.get_outputs()], {}
    x, y = (
        [np.array(["the cat", "cat dog", "a"], object), np.ones((3, 2), "float32")],
        np.eye(3, 2, dtype="f4"),
    )
    for _ in range(3):
        given = dict(
            zip([vectorize.name, "numbers", "y"], [np.asarray(vectorize(x[0])), x[1], y], strict=True)
        )
        found = dict(zip(names, session.run(None, given | state), strict=True))
        state = {name.removesuffix(".next"): a for name, a in found.items() if name.endswith(".next")}
        np.testing.assert_allclose(found["loss"], model.train_on_batch(x, y), rtol=1e-5)
    told = [
        kcompile.InputSpec(shape=(None,), dtype="string"),
        kcompile.InputSpec(shape=(None, 2), dtype="float32"),
    ]
    with pytest.raises(NotImplementedError, match="begins behind the text"):
        model.export(path, training=True, input_signature=[told])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"output_sequence_length": 4},
        {"output_mode": "multi_hot"},
        {"standardize": None},
        {"standardize": "strip_punctuation", "ngrams": 2},
        {"split": None},
    ],
)
def test_texts_without_words(settings, tmp_path):
    """Alone in a batch and beside others."""
    model = over_text(layers.TextVectorization(vocabulary=["the", "cat"], **settings), (1,))
    model.export(tmp_path / "m.onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for texts in ([""], ["", ""], ["!?"], ["  "], ["\t"], ["The cat!", ""], ["", "a\tCat"]):
        x = np.array(texts, object)[:, None]
        [got] = session.run(None, {"text": x})
        want = model.predict(x, verbose=0)
        assert got.shape == want.shape, texts
        np.testing.assert_array_equal(got, want)
