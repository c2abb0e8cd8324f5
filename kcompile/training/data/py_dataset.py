"""Batches computed on demand by a user's class, in the background if asked for."""

from __future__ import annotations

import itertools
import random
import warnings
from collections.abc import Iterable, Iterator
from typing import Any


class PyDataset:
    """A data set to subclass: `__len__` is the number of batches, `__getitem__(index)` gives one.

    A batch is a tuple (x,), (x, y) or (x, y, sample_weight), or x alone.

    Args:    workers: threads that prepare batches ahead. With 1, batches that take long are prepared by one
             thread, in order. use_multiprocessing: processes instead of threads; fresh ones that get a
             pickled data set where the script has `if __name__ == "__main__":`, forks of the running one
             where it has not or the data set cannot be pickled. max_queue_size: batches held ready.

    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         return [index], [index**2]
    >>> list(Squares())
    [([0], [0]), ([1], [1]), ([2], [4])]
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        self._workers, self._use_multiprocessing = workers, use_multiprocessing
        self._max_queue_size = max_queue_size

    def _setting(self, name: str, default: Any) -> Any:
        if name not in self.__dict__:
            self.__dict__[name] = default
            warnings.warn(
                f"The constructor of `{type(self).__name__}` does not call `super().__init__(**kwargs)`, "
                "which takes `workers`, `use_multiprocessing` and `max_queue_size`. The defaults are used.",
                stacklevel=3,
            )
        return self.__dict__[name]

    @property
    def workers(self) -> int:
        return int(self._setting("_workers", 1))

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = value

    @property
    def use_multiprocessing(self) -> bool:
        return bool(self._setting("_use_multiprocessing", False))

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        self._use_multiprocessing = value

    @property
    def max_queue_size(self) -> int:
        return int(self._setting("_max_queue_size", 10))

    @max_queue_size.setter
    def max_queue_size(self, value: int) -> None:
        self._max_queue_size = value

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
