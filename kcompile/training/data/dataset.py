"""Data that is made while one iterates over it: what `text_dataset_from_directory` and others return."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.training.data import specs as kinds
from kcompile.training.data.elements import Count, arrays, elements, number_of_rows, plain, rows_of, stacked
from kcompile.training.data.iterations import cached, looking, repeated, shuffled
from kcompile.training.data.padding import padding
from kcompile.training.data.signature import promised, signature_of
from kcompile.training.data.specs import Spec, Specs

INFINITE, UNKNOWN = -1, -2  # as `cardinality` says it
ENDLESS = float("inf")


class Dataset:
    """Elements (arrays, tuples and dicts of them) that each iteration makes anew; `fit` takes one of batches.

    It has the methods of `tf.data.Dataset` that programs written with Keras use most. Arrays, numbers and
    texts have `numpy()`, as tensors. Arguments that only say how elements are computed (`num_parallel_calls`,
    `deterministic`, `options`, the `buffer_size` of `prefetch`) and names of the methods' results change
    nothing.

    Args:    start: begins an iteration. length: how many elements there are, None if unknown, ENDLESS.
             batch_size: of elements that are batches. specs: what is known of them; else it is what the first
             element is.

    >>> numbers = Dataset.from_tensor_slices(np.arange(5)).map(lambda x: x * x)
    >>> [batch.tolist() for batch in numbers.batch(2)], len(numbers.batch(2))
    ([[0, 1], [4, 9], [16]], 3)
    """

    def __init__(
        self,
        start: Callable[[], Iterator[Any]],
        length: float | None,
        batch_size: int | None = None,
        specs: Specs | None = None,
    ):
        self._start, self._length, self._batch_size = start, length, batch_size
        self._specs = Specs(self._of_first) if specs is None else specs
        self.class_names: list[str] | None = None
        self.file_paths: list[str] | None = None

    @classmethod
    def from_tensor_slices(cls, tensors: Any, name: str | None = None) -> Dataset:
        """The rows of arrays; a list is one of them, tuples and dicts are structures.

        Raises:  ValueError for arrays of different numbers of rows, or without.
        """
        whole = tree.map_structure(np.asarray, arrays(tensors))
        count = number_of_rows(whole)
        specs = Specs(lambda: kinds.of_rows(kinds.of_element(whole)), True)
        return cls(lambda: rows_of(whole, count), count, None, specs)

    @classmethod
    def from_tensors(cls, tensors: Any, name: str | None = None) -> Dataset:
        """One element."""
        whole = tree.map_structure(np.asarray, arrays(tensors))
        return cls(lambda: iter([whole]), 1, None, Specs(lambda: kinds.of_element(whole), True))

    @classmethod
    def from_generator(
        cls,
        generator: Callable[..., Any],
        output_types: Any = None,
        output_shapes: Any = None,
        args: Any = None,
        output_signature: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """What generator(*args) yields, called anew for each iteration.

        Args:    output_types, output_shapes: dtypes and shapes in the structure of the elements, which become
                 arrays of them. output_signature: objects that have both, such as KerasTensors. Without any
                 of them elements are what the generator yields.
        Raises:  TypeError for arguments that exclude one another; while one iterates, for elements of another
                 structure, shape, or with numbers that the dtype does not hold.
        """
        if not callable(generator):
            raise TypeError("`generator` must be a Python callable.")
        signature = signature_of(output_types, output_shapes, output_signature)
        given = () if args is None else tuple(args)

        def start() -> Iterator[Any]:
            found = iter(generator(*given))
            return found if signature is None else (promised(x, signature) for x in found)

        return cls(start, None, None, None if signature is None else Specs(lambda: signature, True))

    @classmethod
    def range(cls, *args: int, output_type: Any = "int64", name: str | None = None) -> Dataset:
        """Whole numbers, as Python's `range`."""
        if not 1 <= len(args) <= 3:
            raise ValueError(f"`range` takes 1 to 3 numbers. Received: {len(args)}")
        steps = range(*map(operator.index, args))
        kind = dtypes.numpy_dtype(dtypes.standardize(output_type))
        numbers = np.arange(steps.start, steps.stop, steps.step).astype(kind)
        return cls(
            lambda: iter(numbers), len(numbers), None, Specs(lambda: Spec(numbers.dtype.name, ()), True)
        )

    @classmethod
    def zip(cls, *args: Any, datasets: Any = None, name: str | None = None) -> Dataset:
        """Tuples of elements, one of each data set, as long as all have some; also of a tuple or a dict.

        Raises:  TypeError for anything that is no data set.
        """
        if args and datasets is not None:
            raise TypeError("Both `*args` and `datasets` cannot be set.")
        if not args and datasets is None:
            raise TypeError("Must pass at least one dataset to `zip`.")
        given = datasets if not args else args[0] if len(args) == 1 else args
        if isinstance(given, list):
            raise TypeError(f"`zip` needs data sets, or a tuple or dict of them. Received: {given}")
        flat = tree.flatten(given)
        for one in flat:
            _check_dataset(one, "zip")
        lengths = [one._length for one in flat]
        known = None if None in lengths else min(lengths)

        def start() -> Iterator[Any]:
            rows = zip(*(one._start() for one in flat), strict=False)  # as long as all have some
            return (tree.pack_as(given, row) for row in rows)

        specs = Specs.of(lambda *parts: tree.pack_as(given, parts), *(one._specs for one in flat))
        return cls(start, known, None, specs)

    def __iter__(self) -> Iterator[Any]:
        return map(elements, self._start())

    def __bool__(self) -> bool:
        return True  # without it, `if dataset` would ask for the length

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
        """Shapes and dtypes of the elements, as KerasTensors. What a function or a generator gives, of which
        nothing is said, has those of its first element.

        Raises:  ValueError if there is none.
        """
        return kinds.placeholders(self._specs.structure)

    def _first(self) -> Any:
        with looking():
            for first in self._start():
                return first
        raise ValueError("The shapes of a data set are those of its first element. Received an empty one.")

    def _of_first(self) -> Any:
        first = self._first()
        return kinds.of_element(first, set(map(len, tree.flatten(first))) if self._batch_size else ())

    def _like(self, start: Callable[[], Iterator[Any]], length: float | None, **more: Any) -> Dataset:
        how = {"batch_size": self._batch_size, "specs": self._specs, **more}
        return type(self)(start, length, **how)

    # --- one element after the other ------------------------------------------------------------------------

    def map(
        self,
        map_func: Callable[..., Any],
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        synchronous: bool | None = None,
        use_unbounded_threadpool: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """map_func(element) for each; the parts of a tuple are arguments of their own.

        A list that it returns is a tuple, one in a tuple or dict is an array.
        """

        def made(element: Any) -> Any:
            found = map_func(*element) if isinstance(element, tuple) else map_func(element)
            return arrays(tuple(found) if isinstance(found, list) else found)

        def specs() -> Any:
            first = self._first()
            return kinds.of_element(made(elements(first)), kinds.open_sizes(first, self._specs.structure))

        return self._like(lambda: map(made, iter(self)), self._length, specs=Specs(specs))

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements for which predicate(element), a boolean, is true."""

        def kept(element: Any) -> bool:
            answer = np.asarray(predicate(*element) if isinstance(element, tuple) else predicate(element))
            if answer.ndim or answer.dtype != bool:
                raise ValueError(f"`predicate` must return a boolean. Received: {answer!r}")
            return bool(answer)

        return self._like(lambda: filter(kept, iter(self)), None)

    def take(self, count: int, name: str | None = None) -> Dataset:
        """The first elements; all of them for -1."""
        count = operator.index(count)
        if count < 0:
            return self
        length = None if self._length is None else min(count, self._length)
        return self._like(lambda: itertools.islice(self._start(), count), length)

    def skip(self, count: int, name: str | None = None) -> Dataset:
        """What comes after the first elements; nothing for -1."""
        count = operator.index(count)
        if count < 0:
            return self._like(lambda: iter(()), 0)
        length = None if self._length is None else max(0, self._length - count)
        return self._like(lambda: itertools.islice(self._start(), count, None), length)

    def repeat(self, count: int | None = None, name: str | None = None) -> Dataset:
        """All elements again and again, so many times; for None or -1 as long as there are any."""
        count = -1 if count is None else operator.index(count)
        if count < 0:
            return self._like(repeated(self._start), 0 if self._length == 0 else ENDLESS)
        length = 0 if count == 0 else None if self._length is None else self._length * count
        return self._like(lambda: (x for _ in range(count) for x in self._start()), length)

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """All elements, then all of another one.

        Raises:  TypeError for elements of other structures or dtypes, where these are known.
        """
        _check_dataset(dataset, "concatenate")
        specs = Specs.of(kinds.joined, self._specs, dataset._specs)
        lengths = self._length, dataset._length
        length = ENDLESS if ENDLESS in lengths else None if None in lengths else sum(lengths)  # type: ignore[arg-type]
        return self._like(lambda: itertools.chain(self._start(), dataset._start()), length, specs=specs)

    def enumerate(self, start: int = 0, name: str | None = None) -> Dataset:
        """(number, element) for each."""
        specs = Specs.of(lambda inner: (Spec("int64", ()), inner), self._specs)
        return self._like(
            lambda: ((np.int64(k), x) for k, x in enumerate(self._start(), start)), self._length, specs=specs
        )

    def shard(self, num_shards: int, index: int, name: str | None = None) -> Dataset:
        """Every `num_shards`-th element, from `index` on.

        Raises:  ValueError for an index that is not one of 0 to num_shards - 1.
        """
        if num_shards < 1:
            raise ValueError(f"`num_shards` must be at least 1. Received: num_shards={num_shards}")
        if not 0 <= index < num_shards:
            raise ValueError(f"`index` must be between 0 and {num_shards - 1}. Received: index={index}")
        known = self._length is not None and self._length != ENDLESS
        length = len(range(index, len(self), num_shards)) if known else self._length
        return self._like(lambda: itertools.islice(self._start(), index, None, num_shards), length)

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """transformation_func(self), which must return a data set."""
        found = transformation_func(self)
        _check_dataset(found, "apply")
        return found

    def reduce(
        self, initial_state: Any, reduce_func: Callable[[Any, Any], Any], name: str | None = None
    ) -> Any:
        """reduce_func(state, element) over all elements; the last state."""
        return elements(arrays(functools.reduce(reduce_func, self, initial_state)))

    def with_options(self, options: Any, name: str | None = None) -> Dataset:
        """For programs that call it."""
        return self

    def shuffle(
        self,
        buffer_size: int,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = True,
        name: str | None = None,
    ) -> Dataset:
        """In a random order: each element is drawn from the `buffer_size` next ones; from all for -2.

        Raises:  ValueError for a buffer_size below 1.
        """
        held_size = operator.index(buffer_size)
        if held_size < 1 and held_size != UNKNOWN:
            raise ValueError(f"`buffer_size` must be at least 1. Received: buffer_size={buffer_size}")
        rng = np.random.default_rng(np.random.randint(2**31) if seed is None else seed)
        fixed = int(rng.integers(2**31)) if reshuffle_each_iteration in (False, 0) else None
        return self._like(shuffled(self._start, held_size, rng, fixed), self._length)

    def cache(self, filename: Any = "", name: str | None = None) -> Dataset:
        """Elements of the first complete iteration are kept in memory.

        Raises:  ValueError for a filename: nothing is written.
        """
        if filename not in ("", b"", None):
            raise ValueError(
                f"Elements are cached in memory only: call `cache()` without a file. Received: {filename!r}"
            )
        return self._like(cached(self._start), self._length)

    def prefetch(self, buffer_size: int | None = None, name: str | None = None) -> Dataset:
        """For programs that call it; `fit` decides itself what is read ahead."""
        if buffer_size is not None and buffer_size < -1:
            raise ValueError(f"`buffer_size` must be at least -1. Received: buffer_size={buffer_size}")
        return self

    # --- batches --------------------------------------------------------------------------------------------

    def batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """So many elements at a time, as arrays with a first axis more.

        Raises:  ValueError for a batch_size below 1.
        """
        return self._batched(batch_size, drop_remainder, stacked, self._specs)

    def padded_batch(
        self,
        batch_size: int,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """As `batch`, of arrays of different sizes, which are filled up behind.

        Args:    padded_shapes: the sizes, in the structure of the elements; None for the largest of each
                 batch. padding_values: with what; zeros and empty texts if None.
        Raises:  ValueError for a batch_size below 1; while one iterates, for arrays that are larger than
                 `padded_shapes`, and TypeError for padding_values of another dtype.
        """
        filled = padding(padded_shapes, padding_values)
        specs = Specs.of(lambda inner: kinds.padded(inner, padded_shapes), self._specs)
        return self._batched(batch_size, drop_remainder, lambda rows: stacked(filled(rows)), specs)

    def _batched(
        self, size: int, drop_remainder: bool, together: Callable[[list[Any]], Any], specs: Specs
    ) -> Dataset:
        size = operator.index(size)
        if size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={size}")

        def start() -> Iterator[Any]:
            source = self._start()
            while rows := list(itertools.islice(source, size)):
                if len(rows) == size or not drop_remainder:
                    yield together(rows)

        length = self._length
        if length is not None and length != ENDLESS:
            full, rest = divmod(length, size)
            length = full + (rest > 0 and not drop_remainder)
        specs = Specs.of(lambda inner: kinds.batched(inner, size if drop_remainder else None), specs)
        return self._like(start, length, batch_size=size, specs=specs)

    def unbatch(self, name: str | None = None) -> Dataset:
        """The rows of the elements.

        Raises:  ValueError for elements without rows, where that is known.
        """

        def start() -> Iterator[Any]:
            for element in self._start():
                yield from rows_of(element, number_of_rows(element))

        specs = Specs.of(kinds.of_rows, self._specs)
        rows = kinds.number_of_known_rows(self._specs.structure) if specs.is_known else None
        length = 0 if rows == 0 else None if None in (rows, self._length) else self._length * rows  # type: ignore[operator]
        return self._like(start, length, batch_size=None, specs=specs)


def _check_dataset(given: Any, method: str) -> None:
    if not isinstance(given, Dataset):
        raise TypeError(f"`{method}` needs a `Dataset`. Received: {given!r} of type {type(given)}")
