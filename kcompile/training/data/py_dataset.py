"""Batches computed on demand by a user's class, in the background if asked for."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any


class PyDataset:
    """A data set to subclass: `__len__` is the number of batches, `__getitem__(index)` gives one.

    A batch is a tuple (x,), (x, y) or (x, y, sample_weight), or x alone.

    Args:    workers: threads that prepare batches ahead; 1 prepares none ahead. use_multiprocessing:
             accepted; threads are used, because programs run outside of Python's lock. max_queue_size:
             batches held ready.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        self.workers, self.use_multiprocessing = workers, use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Batch number `index`."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")

    @property
    def num_batches(self) -> int | None:
        """Batches per epoch; None if there is no end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(
            "You need to implement the `num_batches` property:\n\n@property\ndef num_batches(self):\n  "
            "return ..."
        )

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in indices(self, False))


def indices(dataset: Any, shuffle: bool) -> Iterable[int]:
    """The order of batches in an epoch."""
    count = dataset.num_batches
    if count is None:
        return itertools.count()
    order = list(range(count))
    if shuffle:
        random.shuffle(order)
    return order


def batches_of(dataset: Any, shuffle: bool) -> Iterator[Any]:
    """One epoch of batches, in order; with several workers they are computed ahead."""
    workers = getattr(dataset, "workers", 1)
    if workers <= 1:
        for index in indices(dataset, shuffle):
            yield dataset[index]
        return
    from concurrent.futures import ThreadPoolExecutor

    ahead = max(1, getattr(dataset, "max_queue_size", 10))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="PyDataset")
    try:
        yield from _in_order(pool, dataset, iter(indices(dataset, shuffle)), ahead)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _in_order(pool: Any, dataset: Any, order: Iterator[int], ahead: int) -> Iterator[Any]:
    waiting: deque[Any] = deque(
        pool.submit(dataset.__getitem__, index) for index in itertools.islice(order, ahead)
    )
    while waiting:
        batch = waiting.popleft().result()  # an error in a worker is raised here
        for index in itertools.islice(order, 1):
            waiting.append(pool.submit(dataset.__getitem__, index))
        yield batch
