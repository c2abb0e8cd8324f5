"""Arguments of data sets' methods: each does what it does in tf.data, or is refused."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile.training.data.dataset import Dataset


def listed(dataset):
    return [np.asarray(x).tolist() for x in dataset.as_numpy_iterator()]


def rows(*elements):
    return Dataset.from_generator(lambda: iter(elements))


def ragged(dtype="int32"):
    return rows(np.array([1, 2], dtype), np.array([3], dtype))


def pairs():
    return rows((np.array([1, 2], "int32"), np.float32(7)), (np.array([3], "int32"), np.float32(8)))


@pytest.mark.parametrize("shape", [[4], (4,), 4, np.array([4])])
def test_padded_shapes_are_the_sizes(shape):
    assert listed(ragged().padded_batch(2, shape)) == [[[1, 2, 0, 0], [3, 0, 0, 0]]]


def test_padding_fills_up_with_values():
    assert listed(ragged().padded_batch(2, padding_values=-1)) == [[[1, 2], [3, -1]]]
    assert listed(ragged().padded_batch(2, [None], np.int32(9))) == [[[1, 2], [3, 9]]]
    assert listed(ragged("float32").padded_batch(2, [-1], 1.5)) == [[[1.0, 2.0], [3.0, 1.5]]]
    assert listed(ragged().padded_batch(3, [4], -1, True)) == []
    two = rows(np.ones((1, 2), "float32"), np.ones((2, 1), "float32"))
    assert listed(two.padded_batch(2, [None, 3], 5.0)) == [
        [[[1, 1, 5], [5, 5, 5]], [[1, 5, 5], [1, 5, 5]]],
    ]


def test_padding_of_structures():
    (found,) = pairs().padded_batch(2, ([3], []), (-1, None))
    assert found[0].tolist() == [[1, 2, -1], [3, -1, -1]] and found[1].tolist() == [7, 8]
    named = pairs().map(lambda x, y: {"b": x, "a": y})
    (found,) = named.padded_batch(2, {"a": [], "b": [None]}, {"a": 0.0, "b": -2})
    assert found["b"].tolist() == [[1, 2], [3, -2]] and found["a"].dtype == "float32"


def test_padding_of_texts():
    texts = rows(np.array([b"a", b"bc"], object), np.array([b"d"], object))
    assert listed(texts.padded_batch(2)) == [[[b"a", b"bc"], [b"d", b""]]]
    assert listed(texts.padded_batch(2, [3], "p")) == [[[b"a", b"bc", b"p"], [b"d", b"p", b"p"]]]
    (found,) = rows(("a", np.ones(1)), ("bcd", np.ones(2))).padded_batch(2)
    assert found[0].tolist() == ["a", "bcd"]


@pytest.mark.parametrize(
    ("data", "arguments", "error", "text"),
    [
        (ragged, ([1],), ValueError, r"\(1,\) is not compatible with an array of shape \(2,\)"),
        (ragged, ([],), ValueError, "not compatible"),
        (ragged, ([4, 4],), ValueError, "not compatible"),
        (pairs, ([4],), TypeError, "padded_shapes"),
        (pairs, (([4],),), ValueError, "padded_shapes"),
        (pairs, (([4], None),), ValueError, "padded_shapes"),
        (pairs, (None, (-1,)), ValueError, "padding_values"),
        (ragged, (None, -1.5), TypeError, "dtype of -1.5"),
        (ragged, (None, "a"), TypeError, "padding_values"),
        (lambda: ragged("uint8"), (None, -1), TypeError, "padding_values"),
        (lambda: ragged("bool"), (None, 1), TypeError, "padding_values"),
        (ragged, (None, np.int64(1)), TypeError, "padding_values"),
        (ragged, (None, [1, 2]), ValueError, "scalars"),
        (lambda: rows("a"), (None, 1), TypeError, "text"),
    ],
)
def test_padding_that_does_not_fit_is_refused(data, arguments, error, text):
    with pytest.raises(error, match=text):
        list(data().padded_batch(2, *arguments))


def test_generators_give_what_they_promise():
    (found,) = Dataset.from_generator(lambda: iter([(1, [2, 3])]), ("float32", "int64"), ([], [None]))
    assert found[0].dtype == "float32" and found[1].dtype == "int64" and found[1].tolist() == [2, 3]
    spec = keras.KerasTensor((None,), "float32")
    (found,) = Dataset.from_generator(lambda: iter([[1, 2]]), output_signature=spec)
    assert found.dtype == "float32" and found.shape == (2,)
    assert listed(Dataset.from_generator(lambda n: iter(range(n)), "int32", [], (3,))) == [0, 1, 2]
    assert listed(Dataset.from_generator(lambda: iter([5]), "int32", None, None)) == [5]
    assert listed(Dataset.from_generator(lambda: iter([np.float64(1.5), True]), "int32")) == [1, 1]
    assert listed(Dataset.from_generator(lambda: iter(["a", "bc"]), "string")) == ["a", "bc"]


@pytest.mark.parametrize(
    ("element", "types", "shapes", "text"),
    [
        ((1, [2, 3]), ("float32", "int64"), ([], [3]), r"shape \(2,\) where an element of shape \(3,\)"),
        (1, ("int32", "int32"), None, "structure"),
        ((1, 2, 3), ("int32", "int32"), None, "structure"),
        ([1, 2], ("int32", "int32"), None, "structure"),
        (1.7, "int32", None, "expected type"),
        (2**40, "int32", None, "expected type"),
        ("a", "int32", None, "expected type"),
        (1, "string", None, "expected type"),
        ([[1], [2, 3]], "int32", None, "not an array"),
    ],
)
def test_generators_that_break_their_promise(element, types, shapes, text):
    with pytest.raises(TypeError, match=text):
        list(Dataset.from_generator(lambda: iter([element]), types, shapes))


def test_arguments_of_from_generator_that_exclude_one_another():
    spec = keras.KerasTensor((), "int32")
    for arguments in (
        {"output_types": "int32", "output_signature": spec},
        {"output_shapes": [], "output_signature": spec},
        {"output_shapes": []},
        {"output_signature": 3},
        {"args": 3},
    ):
        with pytest.raises(TypeError):
            Dataset.from_generator(lambda *args: iter([1]), **arguments)
    with pytest.raises(TypeError, match="callable"):
        Dataset.from_generator([1])


def test_nothing_repeated_ends():
    nothing = Dataset.range(5).filter(lambda x: x > 10)
    assert listed(nothing.repeat().take(2)) == [] and nothing.repeat().cardinality() == -1
    assert listed(Dataset.range(0).repeat()) == [] and len(Dataset.range(0).repeat()) == 0
    assert len(Dataset.range(5).repeat().repeat(0)) == 0
    x = np.ones((4, 2), "float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = Dataset.from_tensor_slices((x, x[:, :1])).filter(lambda x, y: False).batch(2).repeat()
    with pytest.raises(ValueError, match="at least one batch"):
        model.fit(data, steps_per_epoch=2, verbose=0)


def test_rows_of_arrays_of_equal_length():
    for given in ((np.arange(3), np.arange(5)), {"a": np.arange(3), "b": np.arange(5)}):
        with pytest.raises(ValueError, match="Dimensions 3 and 5 are not compatible"):
            Dataset.from_tensor_slices(given)
    for given in (3, (1, 2), ()):
        with pytest.raises(ValueError, match="at least one"):
            Dataset.from_tensor_slices(given)
    with pytest.raises(ValueError, match="Dimensions 3 and 4"):
        list(Dataset.from_tensors((np.ones((3,)), np.ones((4,)))).unbatch())


def test_lists_are_arrays():
    ints, floats = Dataset.from_tensor_slices([1, 2]), Dataset.from_tensor_slices([[1.0, 2.0]])
    assert listed(ints) == [1, 2] and next(iter(ints)).dtype == "int32"
    assert listed(floats) == [[1.0, 2.0]] and next(iter(floats)).dtype == "float32"
    (found,) = Dataset.from_tensors(([1, 2], 3.5))
    assert found[0].tolist() == [1, 2] and found[1].dtype == "float32"
    (found,) = Dataset.range(1).map(lambda x: ([x, x + 1], x))
    assert found[0].tolist() == [0, 1] and found[0].dtype == "int64"
    assert [type(x) for x in Dataset.range(1).map(lambda x: [x, x + 1])] == [tuple]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda d: d.shard(2, 2), ValueError),
        (lambda d: d.shard(2, -1), ValueError),
        (lambda d: d.shard(0, 0), ValueError),
        (lambda d: d.shuffle(0), ValueError),
        (lambda d: d.shuffle(-1), ValueError),
        (lambda d: d.shuffle(2.5), TypeError),
        (lambda d: d.take(2.0), TypeError),
        (lambda d: d.skip(2.0), TypeError),
        (lambda d: d.batch(2.0), TypeError),
        (lambda d: d.repeat(2.0), TypeError),
        (lambda d: d.prefetch(-2), ValueError),
        (lambda d: d.cache("file"), ValueError),
        (lambda d: d.batch(2, foo=1), TypeError),
        (lambda d: d.padded_batch(2, foo=1), TypeError),
        (lambda d: d.map(bool, foo=1), TypeError),
        (lambda d: list(d.filter(lambda x: x)), ValueError),
        (lambda d: d.apply(lambda _: 3), TypeError),
        (lambda d: d.concatenate([1]), TypeError),
        (lambda d: d.zip(), TypeError),
        (lambda d: d.zip([d, d]), TypeError),
        (lambda d: d.zip((d, 4)), TypeError),
        (lambda d: d.zip(d, datasets=(d, d)), TypeError),
        (lambda d: d.range(), ValueError),
        (lambda d: d.range(1, 2, 3, 4), ValueError),
        (lambda d: d.range(1, 2, 0), ValueError),
        (lambda d: d.range(2.5), TypeError),
        (lambda d: d.take(0).map(abs).element_spec, ValueError),
    ],
)
def test_arguments_without_a_meaning_are_refused(call, error):
    with pytest.raises(error):
        call(Dataset.range(5))


def test_arguments_with_a_meaning_of_their_own():
    data = Dataset.range(5)
    assert listed(data.skip(-1)) == [] and len(data.skip(-1)) == 0 and len(data.take(-1)) == 5
    assert sorted(listed(data.shuffle(-2))) == [0, 1, 2, 3, 4]
    again = Dataset.range(50).shuffle(50, 1, None)
    assert listed(again) != listed(again)
    assert next(iter(Dataset.range(3, output_type="float32"))).dtype == "float32"
    assert len(Dataset.zip(datasets=(data, data))) == 5
    assert data.filter(bool).concatenate(data.repeat()).cardinality() == -1
    assert Dataset.range(0).reduce(4, max).numpy() == 4
    assert Dataset.range(0) and data.repeat() and data.filter(bool)


class Tensor:
    """A tensor of another library, whose shape is no tuple."""

    shape = object()

    def __init__(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.value, dtype)

    def __index__(self):
        return self.value


def test_tensors_of_other_libraries_are_numbers_and_answers():
    two, data = Tensor(2), Dataset.range(5)
    assert listed(data.filter(lambda x: Tensor(x > 2))) == [3, 4]
    assert listed(data.batch(two)) == [[0, 1], [2, 3], [4]]
    assert listed(data.take(two).repeat(two)) == [0, 1, 0, 1] and listed(data.skip(two)) == [2, 3, 4]


def test_hints_and_names_change_nothing():
    data = Dataset.range(3, name="a").map(lambda x: x + 1, num_parallel_calls=2, deterministic=True, name="b")
    data = data.take(3, name="c").skip(0, name="d").repeat(1, name="e").shard(1, 0, name="f").cache(name="g")
    data = data.filter(lambda x: True, name="h").batch(2, True, 2, False, "i").unbatch(name="j").prefetch(-1)
    assert listed(data.with_options(None, name="k")) == [1, 2]


def test_all_that_is_held_may_be_drawn():
    orders = [[int(k) for k in Dataset.range(30).shuffle(4, seed=seed)] for seed in range(60)]
    assert all(sorted(order) == list(range(30)) for order in orders)
    assert all(order.index(k) >= k - 3 for order in orders for k in range(30))
    assert {order[0] for order in orders} == {0, 1, 2, 3}
