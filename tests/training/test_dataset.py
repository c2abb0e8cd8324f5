"""Data sets that are made while one iterates over them."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.training.data.dataset import Dataset


def numbers(count=7):
    return Dataset.from_tensor_slices((np.arange(count), np.arange(count) * 2.0))


def firsts(dataset):
    return [np.asarray(x[0] if isinstance(x, tuple) else x).tolist() for x in dataset]


def test_parts_and_repetitions():
    data = numbers()
    assert firsts(data.take(2)) == [0, 1] and len(data.take(20)) == 7
    assert firsts(data.skip(5)) == [5, 6] and len(data.skip(5)) == 2
    assert firsts(data.take(2).repeat(2)) == [0, 1, 0, 1] and len(data.repeat(2)) == 14
    assert firsts(data.repeat().take(9)) == [0, 1, 2, 3, 4, 5, 6, 0, 1]
    assert firsts(data.filter(lambda x, y: x > 4)) == [5, 6]
    assert data.repeat().cardinality() == -1 and len(data.repeat().take(9)) == 9
    with pytest.raises(TypeError, match="infinite"):
        len(data.repeat().batch(2))
    with pytest.raises(TypeError, match="unknown"):
        len(data.filter(bool))


def test_batches():
    batched = numbers().batch(3)
    assert firsts(batched) == [[0, 1, 2], [3, 4, 5], [6]] and len(batched) == 3
    assert firsts(numbers().batch(3, drop_remainder=True)) == [[0, 1, 2], [3, 4, 5]]
    assert firsts(batched.unbatch()) == list(range(7))
    texts = Dataset.from_tensor_slices(np.array([b"a", b"b\0"], object)).batch(2)
    assert [x.tolist() for x in texts] == [[b"a", b"b\0"]]


def test_shuffling():
    data = numbers(50).shuffle(10, seed=1)
    first, second = firsts(data), firsts(data)
    assert sorted(first) == sorted(second) == list(range(50)) and first != second
    assert all(value < place + 10 for place, value in enumerate(first))
    assert firsts(numbers().shuffle(1)) == list(range(7))
    fixed = numbers(50).shuffle(10, seed=1, reshuffle_each_iteration=False)
    assert firsts(fixed) == firsts(fixed) != list(range(50))


def test_a_cache_is_filled_once():
    calls = []
    data = numbers().map(lambda x, y: calls.append(1) or x).cache().prefetch(1)
    assert firsts(data) == firsts(data) and len(calls) == 7


def test_text_files_are_vectorized_and_trained_on(tmp_path):
    for k in range(6):
        for name, text in (("bad", "awful film"), ("good", "great film")):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / f"{k}.txt").write_text(text)
    data, rest = keras.utils.text_dataset_from_directory(
        tmp_path, batch_size=4, validation_split=0.25, subset="both", seed=3, verbose=False
    )
    assert data.class_names == ["bad", "good"] and len(data) == 3
    vectors = layers.TextVectorization(output_sequence_length=3)
    vectors.adapt(data.map(lambda text, label: text))
    assert set(vectors.get_vocabulary()) == {"", "[UNK]", "film", "awful", "great"}
    encoded = data.map(lambda text, label: (vectors(text), label)).cache().prefetch(2)
    model = keras.Sequential([layers.Embedding(5, 4), layers.Flatten(), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
    model.fit(encoded, epochs=15, verbose=0, validation_data=rest.map(lambda x, y: (vectors(x), y)))
    assert model.evaluate(encoded, verbose=0, return_dict=True)["accuracy"] == 1.0


def test_two_halves_of_shuffled_files_do_not_overlap(tmp_path):
    for k in range(10):
        (tmp_path / f"{k}.txt").write_text(str(k))
    found = [
        {x.item() for x in keras.utils.text_dataset_from_directory(
            tmp_path, labels=None, batch_size=1, seed=4, validation_split=0.3, subset=subset, verbose=False
        )}
        for subset in ("training", "validation")
    ]  # fmt: skip
    assert [len(part) for part in found] == [7, 3] and len(found[0] | found[1]) == 10


def test_shuffled_windows_are_all_there():
    data = keras.utils.timeseries_dataset_from_array(
        np.arange(30), np.arange(30), 3, batch_size=4, shuffle=True, seed=2
    )
    starts = np.concatenate([y for _, y in data]).tolist()
    assert sorted(starts) == list(range(28)) and starts != sorted(starts)
    assert all((x[:, 0] == y).all() for x, y in data)


def test_halves_of_a_batched_data_set_are_batched():
    left, right = keras.utils.split_dataset(numbers().batch(2), right_size=3)
    assert firsts(left) == [[0, 1], [2, 3]] and firsts(right) == [[4, 5], [6]]
    with pytest.raises(TypeError):
        keras.utils.split_dataset({"a": 1}, left_size=1)
    for text in ("abc", b"abc"):
        with pytest.raises(TypeError, match="Unsupported dataset type"):
            keras.utils.split_dataset(text, left_size=1)


def test_elements_have_numpy_as_tensors_have():
    x, y = np.arange(24, dtype="float32").reshape(6, 4), np.arange(6)
    for images, labels in Dataset.from_tensor_slices((x, y)).batch(4).take(1):
        assert type(images.numpy()) is np.ndarray and type(images[0].numpy().astype("uint8")) is np.ndarray
        assert labels[2].numpy() == 2 and "abcdef"[labels[3]] == "d" and int(labels[1]) == 1
        assert [label.numpy() for label in labels] == [0, 1, 2, 3]
        assert {labels[1]: "b"}[1] == "b"
        with pytest.raises(TypeError, match="hashed"):
            hash(labels)
        np.testing.assert_array_equal((images / 2).numpy(), x[:4] / 2)
        assert type(keras.ops.mean(images)) is np.ndarray
    assert [e.numpy() for e in Dataset.range(3)] == [0, 1, 2]
    assert all(type(e) is np.ndarray for e in Dataset.from_tensor_slices(x).as_numpy_iterator())
    texts = Dataset.from_tensor_slices(np.array([b"a", b"bc"], object))
    assert [t.numpy() for t in texts] == [b"a", b"bc"] and [t.decode() for t in texts] == ["a", "bc"]
    assert [t.numpy() for t in next(iter(texts.batch(2)))] == [b"a", b"bc"]
    assert numbers().cardinality().numpy() == 7


def test_sources_and_combinations():
    pairs = Dataset.zip((Dataset.range(5), Dataset.range(10, 13)))
    assert [(int(a), int(b)) for a, b in pairs] == [(0, 10), (1, 11), (2, 12)] and len(pairs) == 3
    named = Dataset.zip({"a": Dataset.range(2), "b": Dataset.range(2).repeat()})
    assert len(named) == 2 and [int(e["b"]) for e in named] == [0, 1]
    both = Dataset.range(3).concatenate(Dataset.range(7, 9))
    assert firsts(both) == [0, 1, 2, 7, 8] and len(both) == 5
    assert firsts(both.shard(2, 1)) == [1, 7] and len(both.shard(2, 1)) == 2
    assert [(int(k), int(e)) for k, e in both.enumerate(2)][:2] == [(2, 0), (3, 1)]
    assert both.reduce(0, lambda state, e: state + e) == 18
    assert firsts(both.apply(lambda d: d.map(lambda e: e + 1))) == [1, 2, 3, 8, 9]
    assert firsts(Dataset.from_generator(lambda n: iter(range(n)), args=(3,))) == [0, 1, 2]
    assert firsts(Dataset.from_tensors(np.arange(2))) == [[0, 1]]
    spec = Dataset.from_tensor_slices(np.zeros((4, 3), "float32")).batch(2).element_spec
    assert spec.shape == (None, 3) and spec.dtype == "float32"


def test_elements_go_into_models():
    x, y = np.arange(24, dtype="float32").reshape(6, 4), np.arange(6)
    images, labels = next(iter(Dataset.from_tensor_slices((x, y)).batch(6)))
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    for given in (images, x):
        assert type(model(given)) is np.ndarray and type(model.predict(given, verbose=0)) is np.ndarray
    np.testing.assert_array_equal(model.predict_on_batch(images), model.predict_on_batch(x))
    before = model.evaluate(x, y, verbose=0)
    assert model.test_on_batch(images, labels) == before == model.evaluate(images, labels, verbose=0)
    model.fit(images, labels, verbose=0)
    assert model.train_on_batch(images, labels) < before
