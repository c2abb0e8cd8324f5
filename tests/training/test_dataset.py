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
    with pytest.raises(TypeError, match="unknown"):
        len(data.repeat())


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
    assert all(value <= place + 10 for place, value in enumerate(first))
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
