"""What a `Dataset` says of its elements, as `tf.data` does: before there are any, where that is possible."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile.core import tree
from kcompile.training.data.dataset import Dataset

ROWS = Dataset.from_tensor_slices((np.arange(5), np.zeros((5, 2), "float32")))
TEXTS = Dataset.from_tensor_slices({"a": ["x", "yy", "z"]})
TYPED = Dataset.from_generator(
    lambda: 1 / 0, output_signature=(keras.KerasTensor((None, 3)), keras.KerasTensor((), "int32"))
)


def never(*_):
    raise AssertionError("no element is asked for")


def specs(data):
    """(shape, dtype) of each array, in the elements' structure."""
    return tree.map_structure(lambda spec: f"{spec.dtype}{spec.shape}", data.element_spec)


@pytest.mark.parametrize(
    "data, expected",
    [
        (ROWS, ("int64()", "float32(2,)")),
        (Dataset.range(3, output_type="uint8"), "uint8()"),
        (Dataset.from_tensors((np.zeros((2, 3)), 1.5)), ("float64(2, 3)", "float32()")),
        (TEXTS, {"a": "string()"}),
        (TYPED, ("float32(None, 3)", "int32()")),
        (TYPED.filter(never).cache().take(2).skip(1).shuffle(3).shard(2, 1), ("float32(None, 3)", "int32()")),
        (ROWS.take(0).repeat(), ("int64()", "float32(2,)")),
        (ROWS.batch(2), ("int64(None,)", "float32(None, 2)")),
        (ROWS.batch(2, drop_remainder=True), ("int64(2,)", "float32(2, 2)")),
        (ROWS.batch(2).batch(3, drop_remainder=True), ("int64(3, None)", "float32(3, None, 2)")),
        (ROWS.batch(2).enumerate(), ("int64()", ("int64(None,)", "float32(None, 2)"))),
        (TYPED.batch(4).unbatch(), ("float32(None, 3)", "int32()")),
        (TYPED.padded_batch(4), ("float32(None, None, 3)", "int32(None,)")),
        (TYPED.padded_batch(4, ([7, -1], []), drop_remainder=True), ("float32(4, 7, None)", "int32(4,)")),
        (Dataset.zip({"x": ROWS.batch(2), "y": TEXTS}),
            {"x": ("int64(None,)", "float32(None, 2)"), "y": {"a": "string()"}}),
        (ROWS.batch(2, True).concatenate(ROWS.batch(3, True)), ("int64(None,)", "float32(None, 2)")),
        (Dataset.range(2).concatenate(Dataset.range(4).batch(2)), "int64None"),
        (ROWS.batch(2).map(lambda a, b: {"n": a, "c": [1, 2, 3]}), {"n": "int64(None,)", "c": "int32(3,)"}),
        (ROWS.map(lambda a, b: b).batch(2, True), "float32(2, 2)"),
        (Dataset.from_generator(lambda: iter([(1, "a")])).batch(1), ("int64(None,)", "string(None,)")),
        (keras.utils.timeseries_dataset_from_array(np.zeros(9), None, 3, batch_size=2), "float64(None, 3)"),
    ],
)  # fmt: skip
def test_shapes_and_dtypes_are_those_of_all_elements(data, expected):
    assert specs(data) == expected


def test_rows_are_counted_where_their_number_is_known():
    assert len(Dataset.from_tensors(np.zeros((4, 3))).repeat(2).unbatch()) == 8
    assert len(ROWS.batch(2, drop_remainder=True).unbatch()) == 4
    assert ROWS.batch(2).unbatch().cardinality() == -2
    assert Dataset.from_tensors(np.zeros((4, 3))).repeat().unbatch().cardinality() == -1
    assert len(Dataset.from_tensors(np.zeros((0, 3))).repeat().unbatch()) == 0


@pytest.mark.parametrize(
    "first, second",
    [
        (Dataset.range(2), Dataset.range(2, output_type="int32")),
        (ROWS, Dataset.range(2)),
        (TEXTS, Dataset.from_tensor_slices({"b": ["x"]})),
        (TYPED, ROWS),
    ],
)
def test_elements_of_another_kind_are_not_joined(first, second):
    with pytest.raises(TypeError, match="same kind"):
        first.concatenate(second)


def test_what_a_function_gives_is_compared_when_it_is_known():
    _ = Dataset.range(2).concatenate(Dataset.range(2).map(never))
    mixed = Dataset.range(2).concatenate(Dataset.range(2).map(float))
    with pytest.raises(TypeError, match="same kind"):
        _ = mixed.element_spec


@pytest.mark.parametrize(
    "data", [Dataset.range(3), ROWS.enumerate(), Dataset.from_tensors((np.zeros(3), np.zeros(2)))]
)
def test_elements_without_equal_rows_have_none(data):
    with pytest.raises(ValueError, match=r"at least one dimension|not compatible"):
        data.unbatch()


def folder_of_texts(folder):
    for k in range(16):
        (folder / "ab"[k % 2]).mkdir(exist_ok=True)
        (folder / "ab"[k % 2] / f"{k}.txt").write_text(str(k))
    return keras.utils.text_dataset_from_directory(folder, batch_size=3, seed=1, verbose=False)


@pytest.mark.parametrize(
    "made",
    [
        lambda _: Dataset.range(20).shuffle(7, seed=5).map(lambda x: x + 1).batch(2),
        lambda _: keras.utils.timeseries_dataset_from_array(np.arange(20), None, 3, shuffle=True, seed=2),
        folder_of_texts,
    ],
    ids=["shuffled", "series", "folder"],
)
def test_looking_changes_no_order(made, tmp_path):
    looked_at, other = made(tmp_path), made(tmp_path)
    for _ in range(2):
        assert looked_at.element_spec is not None and looked_at.map(lambda *x: x).element_spec is not None
        assert repr(list(looked_at)) == repr(list(other))
