"""Models over text: what is done on the host, and that all ways to run the model agree."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.models import compiled_call
from kcompile.models.host_stage import Staged
from kcompile.trace import tracer

TEXTS = np.array(["good movie", "bad film", "great good fun", "awful bad bad", "good", "so bad"] * 6)
LABELS = np.array([1, 0, 1, 0, 1, 0] * 6, "float32")


def classifier(length=4, given=True):
    keras.utils.set_random_seed(0)
    vectors = layers.TextVectorization(output_sequence_length=length)
    vectors.adapt(TEXTS)
    head = [vectors, layers.Embedding(20, 8), layers.GlobalAveragePooling1D(), layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((1,), dtype="string"), *head] if given else head)
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    return model


def by_hand(model, texts):
    """Layer after layer, op by op."""
    x = np.array(texts, object).reshape(-1, 1)
    for layer in model.layers:
        x = layer(x)
    return np.asarray(x)


@pytest.mark.parametrize("kind", ["U", "S", object])
@pytest.mark.parametrize("column", [False, True])
def test_all_calls_agree(kind, column):
    model = classifier()
    texts = TEXTS.astype(kind)
    texts = texts[:, None] if column else texts
    wanted = by_hand(model, TEXTS)
    batches = ((texts[k : k + 9],) for k in range(0, 36, 9))
    for found in (
        model(texts),
        model.predict(texts, verbose=0),
        model.predict(texts, batch_size=5, verbose=0),
        model.predict_on_batch(texts),
        model.predict(batches, verbose=0),
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("length", [4, None], ids=["once for all", "batch by batch"])
@pytest.mark.parametrize("eager", [False, True])
def test_training(length, eager):
    model = classifier(length)
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"], run_eagerly=eager)
    history = model.fit(TEXTS, LABELS, epochs=3 if eager else 20, batch_size=8, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    if not eager:
        assert model.evaluate(TEXTS, LABELS, verbose=0, return_dict=True)["accuracy"] == 1.0
    assert np.isfinite(model.train_on_batch(TEXTS[:4], LABELS[:4])[0])


def test_batches_without_padding_train_as_whole_arrays_do():
    """With one length of all texts it makes no difference when text becomes numbers."""
    texts = np.array(["a b", "b c", "c a", "a a"] * 4)
    losses = []
    for length in (2, None):
        keras.utils.set_random_seed(0)
        vectors = layers.TextVectorization(output_sequence_length=length, vocabulary=["a", "b", "c"])
        stack = [vectors, layers.Embedding(5, 3), layers.GlobalAveragePooling1D(), layers.Dense(1)]
        model = keras.Sequential([keras.Input((1,), dtype="string"), *stack])
        model.compile("sgd", "mse")
        fitted = model.fit(texts, np.arange(16.0), batch_size=5, epochs=2, shuffle=False, verbose=0)
        losses.append(fitted.history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_validation_and_sources_of_batches():
    model = classifier()
    history = model.fit(TEXTS, LABELS, validation_split=0.25, verbose=0).history
    assert "val_loss" in history

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return TEXTS[index * 9 :][:9], LABELS[index * 9 :][:9]

    for data in (Batches(), ((TEXTS[k : k + 9], LABELS[k : k + 9]) for k in (0, 9))):
        model.fit(data, verbose=0, validation_data=(TEXTS, LABELS))
    dataset = keras.utils.split_dataset((TEXTS, LABELS), left_size=20)[0].batch(6)
    model.fit(dataset, verbose=0)
    assert model.evaluate(dataset, verbose=0, return_dict=True)["loss"] > 0


def test_a_model_without_input_is_built_by_its_first_data():
    for use in (lambda m: m(TEXTS[:, None]), lambda m: m.fit(TEXTS[:, None], LABELS, verbose=0)):
        model = classifier(given=False)
        use(model)
        assert model.inputs[0].dtype == "string"
        np.testing.assert_allclose(
            model.predict(TEXTS, verbose=0), by_hand(model, TEXTS), rtol=1e-5, atol=1e-6
        )


def mixed():
    """Text, ints and floats; a nested model over text; layers on the host that read one input."""
    keras.utils.set_random_seed(0)
    text = keras.Input((1,), dtype="string", name="text")
    number, code = keras.Input((3,), name="number"), keras.Input((1,), dtype="int64", name="code")
    inner = classifier()
    strict = layers.IntegerLookup(vocabulary=[5, 6], num_oov_indices=0, output_mode="one_hot")(code)
    crossed = layers.HashedCrossing(7, output_mode="one_hot")([text, code])
    joined = layers.Concatenate()([inner(text), layers.Dense(2)(number), strict, crossed])
    return keras.Model({"text": text, "number": number, "code": code}, [layers.Dense(1)(joined), joined])


DATA = {
    "text": TEXTS,
    "number": np.random.default_rng(0).normal(size=(36, 3)).astype("float32"),
    "code": np.array([5, 6] * 18),
}


def test_several_inputs_and_nested_models():
    model = mixed()
    columns = {name: np.asarray(x, object if name == "text" else None) for name, x in DATA.items()}
    op_by_op = model.call({k: v if v.ndim > 1 else v[:, None] for k, v in columns.items()})
    for found in (model(DATA), model.predict(DATA, verbose=0), model.predict(DATA, batch_size=7, verbose=0)):
        for a, b in zip(found, op_by_op, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    before = model.get_weights()
    model.compile("adam", "mse")
    model.fit(DATA, [LABELS[:, None], np.zeros((36, 12), "float32")], verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_the_cut_lies_where_text_ends():
    """Behind the host there are the numbers of text, and the inputs that the program reads itself."""
    model = mixed()
    staged = model._on_host(DATA)
    assert isinstance(staged, Staged)
    assert sorted(a.dtype.name for a in staged) == ["float32", "float32", "int64", "int64"]
    assert {tuple(a.shape[1:]) for a in staged} == {(4,), (3,), (2,), (7,)}


def test_the_batch_stays_open():
    model = classifier()
    model.predict(TEXTS, batch_size=36, verbose=0)
    known = len(model._training.programs._known)
    for size in (1, 5, 35):
        model.predict(TEXTS[:size], batch_size=36, verbose=0)
    assert len(model._training.programs._known) == known


def test_text_out_of_a_model_is_made_op_by_op():
    scores = keras.Input((2,))
    names = layers.StringLookup(vocabulary=["no", "yes"], num_oov_indices=0, invert=True)
    model = keras.Model(
        scores, names(keras.ops.argmax(layers.Dense(2, kernel_initializer="identity")(scores), -1))
    )
    assert model(np.array([[0.2, 0.8], [0.7, 0.1]], "float32")).tolist() == [b"yes", b"no"]
    with pytest.raises(TypeError, match="can take text, but not make any"):
        model.predict(np.zeros((1, 2)), verbose=0)


def test_functional_models_of_text_survive_config_and_clone():
    model = mixed()
    again = keras.Model.from_config(model.get_config())
    assert [x.dtype for x in again.inputs] == [x.dtype for x in model.inputs]
    assert keras.models.model_from_json(model.to_json()).count_params() == model.count_params()


def test_a_call_of_a_functional_model_is_a_program_behind_the_host_stage(monkeypatch):
    model, runs = classifier(), []
    monkeypatch.setattr(compiled_call, "trace", lambda *a, **k: runs.append(1) or tracer.trace(*a, **k))
    first = model(TEXTS)
    np.testing.assert_array_equal(model(TEXTS), first)
    np.testing.assert_array_equal(model(TEXTS[:3]), first[:3])
    assert runs == [1]


def test_a_model_of_ones_own_is_called_on_text_op_by_op():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.words = layers.TextVectorization(50, output_sequence_length=4, vocabulary=["a", "b"])
            self.embed, self.dense = layers.Embedding(50, 3), layers.Dense(2)

        def call(self, texts):
            return self.dense(self.embed(self.words(texts)))

    model = Own()
    found = model(np.array(["a b", "b"], object))
    wanted = model.dense(model.embed(np.array([[2, 3, 0, 0], [3, 0, 0, 0]])))
    assert found.shape == (2, 4, 2)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    with pytest.raises(ValueError, match="text goes into functional and Sequential models"):
        model.predict(np.array(["a b", "b"], object), verbose=0)


@pytest.mark.parametrize(
    "use, match",
    [
        (lambda m: m.predict(np.ones((4, 1)), verbose=0), "takes string"),
        (lambda m: m(np.ones((4, 1))), "takes string"),
        (lambda m: m.fit(TEXTS, TEXTS, verbose=0), "Invalid dtype of `y`"),
        (lambda m: m.predict(np.array([["a", "b"]]), verbose=0), "shape"),
        (lambda m: keras.Sequential([keras.Input((1,)), layers.Dense(1)]).predict(TEXTS), "dtype of `x`"),
        (lambda m: layers.Dense(1)(keras.Input((1,), dtype="string")), "Text cannot be computed"),
        (lambda m: keras.Input((1,), dtype="string") + 1, "Text cannot be computed"),
        (lambda m: m.fit(TEXTS[:5], LABELS, verbose=0), "cardinality"),
    ],
)  # fmt: skip
def test_misuse(use, match):
    with pytest.raises(ValueError, match=match):
        use(classifier())


def test_export_names_the_layers_whose_text_onnx_cannot_express(tmp_path):
    with pytest.raises(NotImplementedError, match="text_vectorization"):
        classifier().export(tmp_path / "m.onnx", verbose=False, opset_version=19)
    assert not (tmp_path / "m.onnx").exists()


def test_unknown_values_are_errors_on_the_host():
    code = keras.Input((1,), dtype="int64")
    model = keras.Model(code, layers.IntegerLookup(vocabulary=[5], num_oov_indices=0)(code))
    assert model.predict(np.array([[5]]), verbose=0).tolist() == [[0]]
    with pytest.raises(ValueError, match=r"OOV values \[6\]"):
        model.predict(np.array([[6]]), verbose=0)
