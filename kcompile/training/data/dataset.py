"""Data that is made while one iterates over it: what `text_dataset_from_directory` and others return."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.training.data.elements import Count, elements, plain

INFINITE, UNKNOWN = -1, -2  # as `cardinality` says it
ENDLESS = float("inf")


class Dataset:
    """Elements (arrays, tuples and dicts of them) that each iteration makes anew; `fit` takes one of batches.

    It has the methods of `tf.data.Dataset` that programs written with Keras use most. Arrays, numbers and
    texts have `numpy()`, as tensors.

    Args:    start: begins an iteration. length: how many elements there are, None if unknown, ENDLESS.

    >>> numbers = Dataset.from_tensor_slices(np.arange(5)).map(lambda x: x * x)
    >>> [batch.tolist() for batch in numbers.batch(2)], len(numbers.batch(2))
    ([[0, 1], [4, 9], [16]], 3)
    """

    def __init__(
        self, start: Callable[[], Iterator[Any]], length: float | None, batch_size: int | None = None
    ):
        self._start, self._length, self._batch_size = start, length, batch_size
        self.class_names: list[str] | None = None
        self.file_paths: list[str] | None = None

    @classmethod
    def from_tensor_slices(cls, tensors: Any) -> Dataset:
        """The rows of arrays."""
        arrays = tree.map_structure(np.asarray, tensors)
        count = len(tree.flatten(arrays)[0])
        return cls(lambda: _rows_of(arrays, count), count)

    @classmethod
    def from_tensors(cls, tensors: Any) -> Dataset:
        """One element."""
        return cls(lambda: iter([tree.map_structure(np.asarray, tensors)]), 1)

    @classmethod
    def from_generator(cls, generator: Callable[..., Any], *_: Any, args: Any = (), **__: Any) -> Dataset:
        """What generator(*args) yields, called anew for each iteration."""
        return cls(lambda: iter(generator(*args)), None)

    @classmethod
    def range(cls, *args: int) -> Dataset:
        """Whole numbers, as Python's `range`."""
        numbers = np.arange(*args)
        return cls(lambda: iter(numbers), len(numbers))

    @classmethod
    def zip(cls, *datasets: Any) -> Dataset:
        """Tuples of elements, one of each data set, as long as all have some; also of a tuple or a dict."""
        given = datasets[0] if len(datasets) == 1 and tree.is_nested(datasets[0]) else datasets
        flat = tree.flatten(given)
        lengths = [one._length for one in flat]
        known = None if None in lengths else min(lengths)

        def start() -> Iterator[Any]:
            rows = zip(*(one._start() for one in flat), strict=False)  # as long as all have some
            return (tree.pack_as(given, row) for row in rows)

        return cls(start, known)

    def __iter__(self) -> Iterator[Any]:
        return map(elements, self._start())

    def __len__(self) -> int:
        if self._length is None or self._length == ENDLESS:
            raise TypeError(f"The dataset {'length is unknown' if self._length is None else 'is infinite'}.")
        return int(self._length)

    def cardinality(self) -> int:
        """The number of elements, -1 of what never ends, -2 if unknown."""
        if self._length is None:
            return Count(UNKNOWN)
        return Count(INFINITE if self._length == ENDLESS else self._length)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements as plain arrays."""
        return map(plain, self._start())

    @property
    def element_spec(self) -> Any:
        """Shapes and dtypes of the first element; the first dimension of batches may be smaller."""
        from kcompile.trace.keras_tensor import KerasTensor

        def spec(leaf: Any) -> Any:
            shape = (None, *np.shape(leaf)[1:]) if self._batch_size else np.shape(leaf)
            array = np.asarray(leaf)
            return KerasTensor(shape, "string" if array.dtype.kind in "OSU" else array.dtype.name)

        return tree.map_structure(spec, next(self._start()))

    def _like(self, start: Callable[[], Iterator[Any]], length: float | None, **more: Any) -> Dataset:
        return type(self)(start, length, more.get("batch_size", self._batch_size))

    # --- one element after the other ------------------------------------------------------------------------

    def map(self, map_func: Callable[..., Any], *_: Any, **__: Any) -> Dataset:
        """map_func(element) for each; the parts of a tuple are arguments of their own."""

        def made(element: Any) -> Any:
            return map_func(*element) if isinstance(element, tuple) else map_func(element)

        return self._like(lambda: map(made, iter(self)), self._length)

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """The elements for which predicate(element) is true."""

        def kept(element: Any) -> bool:
            return bool(predicate(*element) if isinstance(element, tuple) else predicate(element))

        return self._like(lambda: filter(kept, iter(self)), None)

    def take(self, count: int) -> Dataset:
        """The first elements; all of them for -1."""
        if count < 0:
            return self
        length = None if self._length is None else min(count, self._length)
        return self._like(lambda: itertools.islice(self._start(), count), length)

    def skip(self, count: int) -> Dataset:
        """What comes after the first elements."""
        length = None if self._length is None else max(0, self._length - count)
        return self._like(lambda: itertools.islice(self._start(), count, None), length)

    def repeat(self, count: int | None = None) -> Dataset:
        """All elements again and again, so many times or without end."""
        if count is None or count < 0:
            return self._like(lambda: (x for _ in itertools.count() for x in self._start()), ENDLESS)
        length = None if self._length is None else self._length * count
        return self._like(lambda: (x for _ in range(count) for x in self._start()), length)

    def concatenate(self, dataset: Dataset) -> Dataset:
        """All elements, then all of another one."""
        known = self._length is not None and dataset._length is not None
        length = self._length + dataset._length if known else None  # type: ignore[operator]
        return self._like(lambda: itertools.chain(self._start(), dataset._start()), length)

    def enumerate(self, start: int = 0) -> Dataset:
        """(number, element) for each."""
        return self._like(
            lambda: ((np.int64(k), x) for k, x in enumerate(self._start(), start)), self._length
        )

    def shard(self, num_shards: int, index: int) -> Dataset:
        """Every `num_shards`-th element, from `index` on."""
        known = self._length is not None and self._length != ENDLESS
        length = len(range(index, len(self), num_shards)) if known else self._length
        return self._like(lambda: itertools.islice(self._start(), index, None, num_shards), length)

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """transformation_func(self)."""
        return transformation_func(self)

    def reduce(self, initial_state: Any, reduce_func: Callable[[Any, Any], Any]) -> Any:
        """reduce_func(state, element) over all elements; the last state."""
        return functools.reduce(reduce_func, self, initial_state)

    def with_options(self, options: Any) -> Dataset:
        """For programs that call it."""
        return self

    def shuffle(
        self, buffer_size: int, seed: int | None = None, reshuffle_each_iteration: bool = True
    ) -> Dataset:
        """In a random order: each element is drawn from the `buffer_size` next ones."""
        rng = np.random.default_rng(np.random.randint(2**31) if seed is None else seed)
        fixed = None if reshuffle_each_iteration else rng.integers(2**31)

        def start() -> Iterator[Any]:
            own = rng if fixed is None else np.random.default_rng(fixed)
            held: list[Any] = []
            for element in self._start():
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
            for element in self._start():
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
            source = self._start()
            while rows := list(itertools.islice(source, size)):
                if len(rows) == size or not drop_remainder:
                    yield joined(rows)

        length = self._length
        if length is not None and length != ENDLESS:
            full, rest = divmod(length, size)
            length = full + (rest > 0 and not drop_remainder)
        return self._like(start, length, batch_size=size)

    def unbatch(self) -> Dataset:
        """The rows of the elements."""

        def start() -> Iterator[Any]:
            for element in self._start():
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
            out[:] = [plain(leaf) for leaf in leaves]
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
