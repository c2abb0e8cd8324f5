"""Preprocessing layers with unusual data: rows, empty lists, counts of tokens, wrong files and names."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.training.data.dataset import Dataset


@pytest.mark.parametrize("axis", [-1, None])
def test_normalization_learns_from_a_data_set_of_rows(axis):
    rows = np.random.default_rng(0).normal(3, 2, (300, 4)).astype("float32")  # more than one batch of rows
    whole, single = layers.Normalization(axis=axis), layers.Normalization(axis=axis)
    whole.adapt(rows)
    single.adapt(Dataset.from_tensor_slices(rows))
    assert single.mean.shape == whole.mean.shape == (1, 4 if axis else 1)
    np.testing.assert_allclose(single(rows), whole(rows), rtol=1e-4, atol=1e-5)


def test_normalization_learns_from_a_data_set_of_rows_and_labels():
    rows = np.arange(12, dtype="float32").reshape(6, 2)
    layer = layers.Normalization()
    layer.adapt(Dataset.from_tensor_slices((rows, np.zeros(6))))
    np.testing.assert_allclose(layer.mean, [[5.0, 6.0]])


def test_discretization_with_given_boundaries_learns_nothing():
    layer = layers.Discretization(bin_boundaries=[0.0, 1.0])
    for learn in (layer.adapt, layer.update_state):
        with pytest.raises(ValueError, match="initialized with `bin_boundaries`"):
            learn(np.ones(3))


def test_discretization_learns_from_a_number():
    layer = layers.Discretization(num_bins=4)
    layer.adapt(3.0)
    assert layer.bin_boundaries == []
    assert layer(np.array([1.0, 5.0])).tolist() == [0, 0]


def test_of_no_categories_none_occurs():
    assert layers.Hashing(3, output_mode="multi_hot")([]).tolist() == [0.0, 0.0, 0.0]
    assert layers.Hashing(3, output_mode="count")([]).tolist() == [0.0, 0.0, 0.0]


def test_hashing_of_none_is_refused():
    with pytest.raises(ValueError, match="hashes ints and text"):
        layers.Hashing(3)(None)


def test_integer_lookup_does_not_learn_from_text():
    with pytest.raises(TypeError, match="Use StringLookup for text"):
        layers.IntegerLookup().adapt(["a", "b"])


@pytest.mark.parametrize(
    ("text", "found"), [("a\n\nb\n", "Line 2 .* is empty"), ("a\nb\na\n", "repeats 'a'")]
)
@pytest.mark.parametrize("kind", ["StringLookup", "TextVectorization"])
def test_vocabulary_files_with_empty_or_repeated_lines_are_refused(kind, text, found, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=found):
        getattr(layers, kind)(vocabulary=str(path))


@pytest.mark.parametrize("mode", ["count", "multi_hot", "tf_idf"])
def test_a_feature_space_joins_counts_of_tokens(mode):
    space_of = keras.utils.FeatureSpace
    text = layers.TextVectorization(output_mode=mode)
    space = space_of({"t": space_of.feature("string", text, "float"), "f": "float"})
    space.adapt({"t": ["x y", "y", "z x"], "f": [1.0, 2.0, 3.0]})
    encoded = space({"t": ["x y", "w"], "f": [5.0, 6.0]})
    assert encoded.shape == (2, 5) and encoded.dtype == np.float32
    assert encoded[:, 0].tolist() == [5.0, 6.0]
    np.testing.assert_allclose(encoded[:, 1:], text(["x y", "w"]))


def test_a_feature_space_names_what_is_missing_or_too_much():
    space = keras.utils.FeatureSpace({"f": "float", "i": "integer_hashed"})
    with pytest.raises(KeyError, match="'i' is missing"):
        space({"f": [1.0]})
    with pytest.raises(KeyError, match="'z' is none of them"):
        space({"f": [1.0], "i": [2], "z": [3]})


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
def test_f_scores_have_the_dtype_of_their_metric(dtype, average):
    metric = keras.metrics.F1Score(average=average, dtype=dtype)
    metric.update_state(np.eye(3, dtype="float32")[[0, 1, 2, 2]], np.eye(3, dtype="float32")[[0, 2, 2, 2]])
    assert metric.result().dtype.name == dtype


@pytest.mark.parametrize("kind, setting", [("RandAugment", "num_ops"), ("AugMix", "num_chains")])
def test_negative_numbers_of_changes_are_refused(kind, setting):
    layer = getattr(layers, kind)(**{setting: -1})
    with pytest.raises(TypeError, match="must be at least 0"):
        layer(np.zeros((1, 4, 4, 3), "float32"), training=True)


def test_a_feature_space_saved_before_it_learned_must_learn(tmp_path):
    columns = {"b": np.array([1.0, 3.0, 5.0])}
    for learned in (False, True):
        space = keras.utils.FeatureSpace({"b": "float_normalized"}, output_mode="concat")
        if learned:
            space.adapt(columns)
        space.save(tmp_path / "space.keras")
        again = keras.models.load_model(tmp_path / "space.keras")
        if learned:
            np.testing.assert_array_equal(again(columns), space(columns))
        else:
            with pytest.raises(ValueError, match="need to call `.adapt"):
                again(columns)


def test_texts_that_a_function_splits_into_rows_of_tensors():
    """As `tf.strings.split` does, whose rows give tensors one by one and text as arrays."""

    class Row:
        def __init__(self, tokens):
            self.tokens = tokens

        def __array__(self, dtype=None, copy=None):
            return np.array(self.tokens, object)

        def __iter__(self):
            return (object() for _ in self.tokens)

    layer = layers.TextVectorization(
        vocabulary=["red", "pear"], split=lambda x: [Row(t.encode().split(b",")) for t in x], standardize=None
    )
    assert layer(["red,pear", "x", "a,red"]).tolist() == [[2, 3], [1, 0], [1, 2]]


@pytest.mark.parametrize("split, shape", [("whitespace", (0, 2)), (None, (2,))])
def test_counts_of_no_texts(split, shape):
    layer = layers.TextVectorization(vocabulary=["red"], output_mode="count", split=split)
    assert layer(np.empty(0, object)).shape == shape


class Scalar:
    """One value as a tensor of another library."""

    shape = ()

    def __init__(self, value):
        self.value = np.array(value, object)

    def __array__(self, dtype=None, copy=None):
        return self.value


def test_a_feature_space_learns_from_single_tensors_of_text():
    space = keras.utils.FeatureSpace({"word": keras.utils.FeatureSpace.string_categorical()})
    space.adapt([{"word": Scalar(word)} for word in (b"a", b"b", b"a")])
    assert space.preprocessors["word"].get_vocabulary() == ["[UNK]", "a", "b"]
