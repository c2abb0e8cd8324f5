"""Workers give the batches in the data set's order, whichever of them is ready first.

Keras gives them so, too, but in the first `fit` after `compile`: there it looks at a batch, and the first
epoch begins with what workers had made by then: some batches come twice and others never. Ours come once.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

import kcompile as keras
from kcompile.training.data.workers import Workers


class Uneven(keras.utils.PyDataset):
    """Batches that say which they are, and take different times to come."""

    def __len__(self):
        return 14

    def __getitem__(self, index):
        time.sleep(0.002 * (-index % 3))
        return np.full((2, 3), index, "float32"), np.full((2, 1), index, "float32")


class Order(keras.callbacks.Callback):
    """The batches of each epoch: the error of a model that gives 0 is the number of the batch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.sums, self.epochs = [0.0], [*getattr(self, "epochs", []), []]

    def on_train_batch_end(self, batch, logs=None):
        self.sums.append(logs["loss"] * (batch + 1))
        self.epochs[-1].append(round(self.sums[-1] - self.sums[-2]))


@pytest.mark.parametrize("queue", [1, 3, 10])
@pytest.mark.parametrize("processes", [False, True])
def test_batches_come_in_order_and_once(processes, queue):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.0), "mae")
    how = {"workers": 2, "use_multiprocessing": processes, "max_queue_size": queue}
    for _ in range(2):  # the first look at the data, and later ones
        order = Order()
        model.fit(Uneven(**how), epochs=2, shuffle=False, verbose=0, callbacks=[order])
        assert order.epochs == [list(range(14))] * 2
    assert model.evaluate(Uneven(**how), verbose=0) == pytest.approx(6.5)
    model.set_weights([np.full((3, 1), 1 / 3), np.zeros(1)])
    found = model.predict(Uneven(**how), verbose=0)
    np.testing.assert_allclose(found[:, 0], np.repeat(np.arange(14), 2), rtol=1e-6)


@pytest.mark.parametrize("processes", [False, True])
def test_shuffled_batches_come_once_in_each_epoch(processes):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.0), "mae")
    order = Order()
    data = Uneven(workers=2, use_multiprocessing=processes)
    model.fit(data, epochs=3, shuffle=True, verbose=0, callbacks=[order])
    assert [sorted(epoch) for epoch in order.epochs] == [list(range(14))] * 3
    assert order.epochs[0] != order.epochs[1]


def test_a_pass_that_ends_early_leaves_no_batches_to_compute():
    made = []

    class Slow(Uneven):
        def __getitem__(self, index):
            time.sleep(0.05)
            made.append(index)
            return super().__getitem__(index)

    workers = Workers(Slow(), 2, False, 10)
    batches = workers.batches(range(14))
    next(batches)
    batches.close()
    workers._pool.shutdown()  # waits for all that is left
    assert len(made) < 8
