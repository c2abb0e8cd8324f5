"""Data that is made while one iterates over it: what `text_dataset_from_directory` and others return."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kcompile.core import tree


class Dataset:
    """Elements (arrays, tuples and dicts of them) that each iteration makes anew; `fit` takes one of batches.

    It has the methods of `tf.data.Dataset` that programs written with Keras use most.

    Args:    start: begins an iteration. length: how many elements there are, None if unknown.

    >>> numbers = Dataset.from_tensor_slices(np.arange(5)).map(lambda x: x * x)
    >>> [batch.tolist() for batch in numbers.batch(2)], len(numbers.batch(2))
    ([[0, 1], [4, 9], [16]], 3)
    """

    def __init__(self, start: Callable[[], Iterator[Any]], length: int | None, batch_size: int | None = None):
        self._start, self._length, self._batch_size = start, length, batch_size
        self.class_names: list[str] | None = None
        self.file_paths: list[str] | None = None

    @classmethod
    def from_tensor_slices(cls, tensors: Any) -> Dataset:
        """The rows of arrays."""
        arrays = tree.map_structure(np.asarray, tensors)
        count = len(tree.flatten(arrays)[0])
        return cls(lambda: _rows_of(arrays, count), count)

    def __iter__(self) -> Iterator[Any]:
        return self._start()

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("The dataset length is unknown.")
        return self._length

    def cardinality(self) -> int:
        """The number of elements, -2 if unknown."""
        return -2 if self._length is None else self._length

    def as_numpy_iterator(self) -> Iterator[Any]:
        return iter(self)

    def _like(self, start: Callable[[], Iterator[Any]], length: int | None, **more: Any) -> Dataset:
        return type(self)(start, length, more.get("batch_size", self._batch_size))

    # --- one element after the other ------------------------------------------------------------------------

    def map(self, map_func: Callable[..., Any], *_: Any, **__: Any) -> Dataset:
        """map_func(element) for each; the parts of a tuple are arguments of their own."""

        def made(element: Any) -> Any:
            return map_func(*element) if isinstance(element, tuple) else map_func(element)

        return self._like(lambda: map(made, self), self._length)

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """The elements for which predicate(element) is true."""

        def kept(element: Any) -> bool:
            return bool(predicate(*element) if isinstance(element, tuple) else predicate(element))

        return self._like(lambda: filter(kept, self), None)

    def take(self, count: int) -> Dataset:
        """The first elements; all of them for -1."""
        if count < 0:
            return self
        length = None if self._length is None else min(count, self._length)
        return self._like(lambda: itertools.islice(self, count), length)

    def skip(self, count: int) -> Dataset:
        """What comes after the first elements."""
        length = None if self._length is None else max(0, self._length - count)
        return self._like(lambda: itertools.islice(self, count, None), length)

    def repeat(self, count: int | None = None) -> Dataset:
        """All elements again and again, so many times or without end."""
        if count is None or count < 0:
            return self._like(lambda: (x for _ in itertools.count() for x in self), None)
        length = None if self._length is None else self._length * count
        return self._like(lambda: (x for _ in range(count) for x in self), length)

    def shuffle(
        self, buffer_size: int, seed: int | None = None, reshuffle_each_iteration: bool = True
    ) -> Dataset:
        """In a random order: each element is drawn from the `buffer_size` next ones."""
        rng = np.random.default_rng(np.random.randint(2**31) if seed is None else seed)
        fixed = None if reshuffle_each_iteration else rng.integers(2**31)

        def start() -> Iterator[Any]:
            own = rng if fixed is None else np.random.default_rng(fixed)
            held: list[Any] = []
            for element in self:
                held.append(element)
                if len(held) > buffer_size:
                    place = own.integers(len(held))
                    held[place], held[-1] = held[-1], held[place]
                    yield held.pop()
            yield from (held[k] for k in own.permutation(len(held)))

        return self._like(start, self._length)

    def cache(self, filename: Any = "") -> Dataset:
        """Elements of the first complete iteration are kept in memory."""
        kept: list[list[Any]] = []

        def start() -> Iterator[Any]:
            if kept:
                yield from kept[0]
                return
            seen = []
            for element in self:
                seen.append(element)
                yield element
            kept[:] = [seen]

        return self._like(start, self._length)

    def prefetch(self, buffer_size: Any = None) -> Dataset:
        """For programs that call it; `fit` decides itself what is read ahead."""
        return self

    # --- batches --------------------------------------------------------------------------------------------

    def batch(self, batch_size: int, drop_remainder: bool = False, **_: Any) -> Dataset:
        """So many elements at a time, as arrays with a first axis more.

        Raises:  ValueError for a batch_size below 1.
        """
        return self._batched(batch_size, drop_remainder, stacked)

    def padded_batch(self, batch_size: int, *_: Any, drop_remainder: bool = False, **__: Any) -> Dataset:
        """As `batch`, of arrays of different sizes: zeros behind them fill them up to the largest of each
        batch.
        """
        return self._batched(batch_size, drop_remainder, lambda rows: stacked(_equal_sizes(rows)))

    def _batched(self, size: int, drop_remainder: bool, joined: Callable[[list[Any]], Any]) -> Dataset:
        if size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={size}")

        def start() -> Iterator[Any]:
            elements = iter(self)
            while rows := list(itertools.islice(elements, size)):
                if len(rows) == size or not drop_remainder:
                    yield joined(rows)

        full, rest = divmod(self._length or 0, size)
        length = None if self._length is None else full + (rest > 0 and not drop_remainder)
        return self._like(start, length, batch_size=size)

    def unbatch(self) -> Dataset:
        """The rows of the elements."""

        def start() -> Iterator[Any]:
            for element in self:
                yield from _rows_of(element, len(tree.flatten(element)[0]))

        return self._like(start, None, batch_size=None)


def _rows_of(arrays: Any, count: int) -> Iterator[Any]:
    def row(k: int) -> Any:
        return tree.map_structure(lambda a: a[k], arrays)

    return map(row, range(count))


def stacked(rows: list[Any]) -> Any:
    """Elements of equal structure as one, of arrays with a first axis more; text as objects."""
    first = rows[0]

    def joined(leaves: tuple[Any, ...]) -> np.ndarray:
        if isinstance(leaves[0], (str, bytes)):
            out = np.empty(len(leaves), object)
            out[:] = leaves
            return out
        return np.stack([np.asarray(leaf) for leaf in leaves])

    columns = zip(*(tree.flatten(row) for row in rows), strict=True)
    return tree.pack_as(first, [joined(column) for column in columns])


def _equal_sizes(rows: list[Any]) -> list[Any]:
    """Elements whose arrays have zeros behind them, so that they are equally large."""

    def filled(column: tuple[Any, ...]) -> list[np.ndarray]:
        arrays = [np.asarray(leaf) for leaf in column]
        if not arrays[0].ndim:
            return arrays
        size = [max(sides) for sides in zip(*(a.shape for a in arrays), strict=True)]
        return [np.pad(a, [(0, n - k) for n, k in zip(size, a.shape, strict=True)]) for a in arrays]

    columns = [filled(column) for column in zip(*map(tree.flatten, rows), strict=True)]
    return [tree.pack_as(rows[0], list(leaves)) for leaves in zip(*columns, strict=True)]
