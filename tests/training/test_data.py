"""Structures, weights and sources of batches."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest

from kcompile.training.data.arrays import array_data, split_validation
from kcompile.training.data.batches import batch_data
from kcompile.training.data.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight
from kcompile.training.data.py_dataset import PyDataset
from kcompile.training.data.weights import class_weight_to_sample_weights
from tests.training.models import data, linear

x, y = data()


def test_class_weights():
    weights = {0: 2.0, 2: 0.5}
    expected = [2.0, 1.0, 0.5, 2.0]
    for labels in (
        np.array([0, 1, 2, 0]),
        np.array([[0], [1], [2], [0]]),
        np.eye(3)[[0, 1, 2, 0]],
        np.array([0.1, 1, 2, 0]),
    ):
        found = class_weight_to_sample_weights(labels, weights)
        assert found.tolist() == expected and found.dtype == np.float32


def test_packing():
    assert unpack_x_y_sample_weight([1, 2]) == (1, 2, None)
    assert unpack_x_y_sample_weight({"a": 1}) == ({"a": 1}, None, None)
    assert pack_x_y_sample_weight(1, 2, 3) == (1, 2, 3)
    with pytest.raises(ValueError, match="4 elements"):
        unpack_x_y_sample_weight((1, 2, 3, 4))


def test_split():
    (a, _, c), (d, e, f) = split_validation(x, [y, y], None, 0.25)
    assert len(a) == 15 and len(d) == 5 and [len(part) for part in e] == [5, 5] and c is f is None
    np.testing.assert_array_equal(np.concatenate([a, d]), x)


def test_array_data():
    found = array_data(x, y, None, batch_size=8)
    assert (found.samples, found.num_batches) == (20, 3)
    assert found.batch(16)[0].shape == (4, 4) and np.shares_memory(found.batch(0)[0], x)
    assert array_data(x, steps=3).batch_size == 7
    assert array_data(x).batch_size == 32


class Squares(PyDataset):
    def __init__(self, count=5, **settings):
        super().__init__(**settings)
        self.count, self.threads, self.epochs = count, set(), []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.threads.add(threading.get_ident())
        time.sleep(0.002 * (self.count - index))  # later ones are ready first
        return np.full((2, 1), index), np.full((2, 1), index**2)

    def on_epoch_begin(self):
        self.epochs.append("begin")

    def on_epoch_end(self):
        self.epochs.append("end")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_dataset_keeps_its_order(workers):
    dataset = Squares(workers=workers, max_queue_size=2)
    batches = list(batch_data(dataset).epoch())
    assert [int(batch[1][0, 0]) for batch in batches] == [0, 1, 4, 9, 16]
    assert (threading.get_ident() in dataset.threads) is (workers == 1)


def test_a_dataset_is_told_of_epochs_and_shuffled():
    dataset = Squares()
    model = linear()
    seen = [int(batch[0][0, 0]) for batch in batch_data(dataset, shuffle=True).epoch()]
    assert sorted(seen) == list(range(5))
    orders = {tuple(int(b[0][0, 0]) for b in batch_data(dataset, shuffle=True).epoch()) for _ in range(5)}
    assert len(orders) > 1

    class Features(Squares):
        def __getitem__(self, index):
            return x[index * 4 : index * 4 + 4], y[index * 4 : index * 4 + 4]

    features = Features()
    model.fit(features, epochs=2, verbose=0)
    assert features.epochs == ["begin", "end"] * 3  # the look at the first batch comes before the epochs


def test_an_error_in_a_worker_is_raised():
    class Broken(Squares):
        def __getitem__(self, index):
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(batch_data(Broken(workers=2)).epoch())


def test_a_dataset_without_end():
    class Endless(PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return np.full((1, 1), index), None

    batches = batch_data(Endless(workers=2)).epoch()
    assert [int(x[0, 0]) for x, _, _ in itertools.islice(batches, 3)] == [0, 1, 2]


def test_the_first_batch_of_a_generator_is_not_lost():
    source = batch_data((np.full((1, 1), k),) for k in range(3))
    assert int(source.first()[0][0, 0]) == 0
    assert [int(batch[0][0, 0]) for batch in source.epoch()] == [0, 1, 2]


def test_an_iterable_begins_anew_and_a_generator_goes_on():
    class Batches:
        def __iter__(self):
            return iter([(x[:10], y[:10]), (x[10:], y[10:])])

        def __len__(self):
            return 2

    source = batch_data(Batches())
    assert source.num_batches == 2
    assert len(list(source.epoch())) == len(list(source.epoch())) == 2
    once = batch_data(item for item in Batches())
    assert once.num_batches is None
    assert len(list(once.epoch())) == 2
    again = list(once.epoch())  # in Keras too, a generator's first two batches come in every pass
    assert len(again) == 2 and np.array_equal(again[0][0], x[:10])
    iterator = batch_data(iter(Batches()))
    assert len(list(iterator.epoch())) == 2 and not list(iterator.epoch())


def test_tensors_with_a_device():
    class Tensor:
        def detach(self):
            return self

        def cpu(self):
            return self

        def numpy(self):
            return x

        def __array__(self, dtype=None, copy=None):
            raise TypeError("on another device")

    assert array_data(Tensor()).x is x

    class Half(Tensor):
        dtype = "torch.bfloat16"

        def float(self):
            return Tensor()

        def numpy(self):
            raise TypeError("Got unsupported ScalarType BFloat16")

    assert array_data(Half()).x is x


def test_sparse_matrices():
    class Matrix:
        shape = x.shape

        def toarray(self):
            return x

    np.testing.assert_array_equal(array_data(Matrix()).x, x)
