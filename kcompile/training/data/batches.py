"""Data that comes batch by batch: generators, PyDatasets, and data sets of other libraries."""

from __future__ import annotations

import itertools
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.core.random_states import global_states, set_global_states
from kcompile.training.data.arrays import ArrayData
from kcompile.training.data.convert import as_array
from kcompile.training.data.history import History
from kcompile.training.data.packing import unpack_x_y_sample_weight
from kcompile.training.data.py_dataset import PyDataset, indices
from kcompile.training.data.read_ahead import ReadAhead
from kcompile.training.data.weights import class_weight_to_sample_weights

Batch = tuple[Any, Any, Any]


FOREIGN = {"tensorflow.python.data.": "tf.data.Dataset", "torch.utils.data.": "torch DataLoader"}
REPEATED = 2  # batches of a generator that come first in every pass: Keras looks at them, and puts them back


class BatchData:
    """A source of batches. `epoch()` iterates over one pass; an iterator goes on where it was, a generator
    too, after its first two batches.

    num_batches: batches in a pass, None if unknown. prepare: what is done with the inputs of each batch.
    passes: how many ended, the look at the first batch included. drawn: batches taken from an iterator.
    """

    def __init__(
        self,
        start: Callable[[], Iterator[Any]],
        num_batches: int | None,
        restarts: bool,
        class_weight: Mapping[int, float] | None = None,
        peek: Callable[[], Any] | None = None,
        prepare: Callable[[Any], Any] = lambda x: x,
    ):
        self.num_batches, self.restarts = num_batches, restarts
        self._start, self._class_weight, self._peek, self._prepare = start, class_weight, peek, prepare
        self.is_generator, self.has_hooks = False, False
        self.history = History()
        self.passes = self.drawn = 0
        self._first: Batch | None = None
        self._running: Iterator[Any] | None = None
        self._again: list[Any] = []  # what the next pass begins with
        self.resets_from: int | None = None  # the first pass that `reset` comes before, and before all later

    def reset(self) -> None:
        """Called where a run over data that was not looked at begins."""

    def on_epoch_begin(self) -> None:
        """Called before a pass, and before the look at the first batch."""

    def on_epoch_end(self, tell: bool = True) -> None:
        """Called after them. tell: the source, too; not of a pass that was stopped, as in Keras."""
        self.passes += 1

    def close(self) -> None:
        """Called when no more batches are wanted."""

    def place(self) -> list[int]:
        """Where the source stands between two passes, for `catch_up`."""
        return [self.passes, self.drawn, len(self._again)]

    def catch_up(self, place: list[int], history: History, begin: bool = False) -> None:
        """Be where another source like this was, of which `history` tells; what an iterator gave up to there
        is made again and dropped. The global random generators stay as they are.

        begin: the next pass has begun.
        """
        passes, drawn, again = place
        self.pass_by(passes, history, begin)
        if self.restarts:
            return
        before = global_states()
        self.history.take_over(history)
        for start in history.numbers():
            self._draw_until(min(start, drawn))
            history.go_back(start)
        self._draw_until(drawn)
        del self._again[again:]
        set_global_states(before)

    def pass_by(self, passes: int, history: History, begin: bool) -> None:
        """The part of `catch_up` that a source is told of, which changes nothing else."""
        while self.passes < passes:
            if self.resets_from is not None and self.passes >= self.resets_from:
                self.reset()
            self.on_epoch_begin()
            self.on_epoch_end()
        if begin:
            self.on_epoch_begin()

    def _draw_until(self, drawn: int) -> None:
        for _ in itertools.islice(self._draw(), max(0, drawn - self.drawn)):
            pass

    def first(self, tell: bool = True) -> Batch:
        """The first batch, which stays in the source. tell: the source, that a pass begins and ends.

        Raises:  ValueError if there is none.
        """
        if self._first is None and tell:
            self.on_epoch_begin()
            self._first = self._standard(self._look())
            self.on_epoch_end()
        return self._standard(self._look()) if self._first is None else self._first

    def _look(self) -> Any:
        if self._peek is not None and self.num_batches != 0:
            return self._peek()
        for batch in self._iterator():
            if not self.restarts:
                self._again = [batch]
            return batch
        raise ValueError("The data must give at least one batch. Received an empty source.")

    def epoch(self, limit: int | None = None) -> Iterator[Batch]:
        """The batches of a pass, read ahead where they take long; at most `limit` are read."""
        return ReadAhead(map(self._standard, self._iterator()), limit)

    def _iterator(self) -> Iterator[Any]:
        if self.restarts:
            return self._start()
        self.history.note(self.drawn)
        again = self._again
        self._again = list(again) if self.is_generator else []
        return itertools.chain(again, self._draw())

    def _draw(self) -> Iterator[Any]:
        """What the iterator gives next."""
        if self._running is None:
            self._running = self._start()
        for batch in self._running:
            self.drawn += 1
            if self.is_generator and self.drawn <= REPEATED and self.drawn > len(self._again):
                self._again.append(batch)
            yield batch

    def _standard(self, batch: Any) -> Batch:
        if self.is_generator and not isinstance(batch, tuple):
            raise ValueError(
                "A Python generator must yield tuples: (input,) or (inputs, targets) or (inputs, targets, "
                f"sample_weights). Received: {short(batch)}"
            )
        x, y, weight = unpack_x_y_sample_weight(batch)
        if self._class_weight is not None and y is not None:
            if weight is not None:
                raise ValueError("You cannot specify `class_weight` and `sample_weight` at the same time.")
            weight = class_weight_to_sample_weights(y, self._class_weight)
        return arrays_of(self._prepare(x), "x"), arrays_of(y, "y"), arrays_of(weight, "sample_weight")


def arrays_of(structure: Any, what: str) -> Any:
    """A structure with arrays in place of tensors, and of lists of numbers."""
    if structure is None or (
        type(structure) is np.ndarray and structure.ndim and structure.dtype.kind in "fiub"
    ):
        return structure

    def one(leaf: Any) -> Any:
        ready = type(leaf) is np.ndarray and leaf.ndim and leaf.dtype.kind not in "OSU"
        return leaf if leaf is None or ready else as_array(leaf, what)

    return tree.map_structure(one, structure)


def batch_data(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    shuffle: Any = False,
    class_weight: Mapping[int, float] | None = None,
    prepare: Callable[[Any], Any] = lambda x: x,
    stacklevel: int = 2,
) -> BatchData:
    """A source of batches from a PyDataset, a generator, or any object that iterates over batches.

    Args:    shuffle: heeded for a PyDataset of known length; else there is a warning, as in Keras.
             stacklevel: where that one points to.
    Raises:  ValueError for anything else, and for arguments that belong into the source itself.
    """
    kind = _kind(x)
    for name, value, what in (
        ("y", y, "the targets"),
        ("sample_weights", sample_weight, "the sample weights"),
    ):
        if value is not None:
            raise ValueError(
                f"When providing `x` as a {kind}, `{name}` should not be passed. Instead, {what} should be "
                "included "
                f"as part of the {kind}."
            )
    if shuffle and (not isinstance(x, PyDataset) or x.num_batches is None):
        shown = "an infinite PyDataset" if isinstance(x, PyDataset) else f"a {kind}"
        warnings.warn(
            f"`shuffle=True` was passed, but will be ignored since the data `x` was provided as {shown}, "
            "whose order is its own. Shuffle there, and give `shuffle=False`.",
            stacklevel=stacklevel,
        )
    if isinstance(x, PyDataset):
        return DatasetBatches(x, bool(shuffle), class_weight, prepare)
    if isinstance(x, types.GeneratorType) and class_weight is not None:
        raise ValueError(
            "Argument `class_weight` is not supported for Python generator inputs. Received: "
            f"class_weight={class_weight}"
        )
    restarts = not isinstance(x, Iterator)
    data = BatchData(lambda: iter(x), _length(x), restarts, class_weight, prepare=prepare)
    data.is_generator = isinstance(x, types.GeneratorType)
    return data


class DatasetBatches(BatchData):
    """The batches of a PyDataset, which is told of every pass."""

    def __init__(
        self,
        dataset: PyDataset,
        shuffle: bool,
        class_weight: Mapping[int, float] | None = None,
        prepare: Callable[[Any], Any] = lambda x: x,
    ):
        super().__init__(self._pass, dataset.num_batches, True, class_weight, lambda: dataset[0], prepare)
        self._dataset, self._shuffle, self._workers, self.has_hooks = dataset, shuffle, None, True
        if dataset.workers > 1 or (dataset.workers > 0 and dataset.use_multiprocessing):
            from kcompile.training.data.workers import Workers  # loads multiprocessing

            self._workers = Workers(
                dataset, dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size
            )

    def _pass(self) -> Iterator[Any]:
        order = indices(self._dataset, self._shuffle)  # here: by the caller's thread, after `on_epoch_begin`
        if self._workers is None:
            return (self._dataset[index] for index in order)
        return self._workers.batches(order)

    def epoch(self, limit: int | None = None) -> Iterator[Batch]:
        if self._workers is None:
            return super().epoch(limit)
        return map(self._standard, self._iterator())  # the workers read ahead

    def reset(self) -> None:
        """To a data set a run begins with the end of an epoch, as in Keras."""
        self.history.told(3 * self.passes, self._dataset.on_epoch_end)

    def on_epoch_begin(self) -> None:
        self.history.told(3 * self.passes + 1, self._dataset.on_epoch_begin)

    def on_epoch_end(self, tell: bool = True) -> None:
        if tell:
            self.history.told(3 * self.passes + 2, self._dataset.on_epoch_end)
        self.num_batches = self._dataset.num_batches  # a data set may grow and shrink between epochs
        super().on_epoch_end()

    def pass_by(self, passes: int, history: History, begin: bool) -> None:
        before = global_states()
        self.history.take_over(history)
        self.history.replays = history
        super().pass_by(passes, history, begin)
        self.history.replays = None
        set_global_states(before)

    def close(self) -> None:
        if self._workers is not None:
            self._workers.close()


def batches_of_arrays(
    data: ArrayData, rng: np.random.Generator | None, prepare: Callable[[Any], Any] = lambda x: x
) -> BatchData:
    """Arrays as a source of batches, in the order in which native calls would take them.

    For arrays that are read row by row, and for inputs that are prepared batch by batch.
    """
    size = data.batch_size

    def start() -> Iterator[Any]:
        order = np.arange(data.samples) if rng is None else data.order(rng)
        return (data.rows(order[k : k + size]) for k in range(0, data.samples, size))

    def peek() -> Any:
        return data.rows(np.arange(min(size, data.samples)))

    return BatchData(start, data.num_batches, True, peek=peek, prepare=prepare)


def _kind(x: Any) -> str:
    if isinstance(x, PyDataset):
        return "PyDataset"
    if isinstance(x, types.GeneratorType):
        return "generator"
    if isinstance(x, (str, bytes, dict, list, tuple, set)) or not hasattr(x, "__iter__"):
        raise ValueError(
            f"Unrecognized data type: x={short(x)} (of type {type(x)}). Give NumPy arrays (or structures "
            "of them), a "
            "PyDataset, a generator, or an object that iterates over batches."
        )
    modules = [f"{base.__module__}." for base in type(x).__mro__]
    return next(
        (name for start, name in FOREIGN.items() if any(m.startswith(start) for m in modules)),
        type(x).__name__,
    )


def short(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 100 else text[:100] + "..."


def _length(x: Any) -> int | None:
    try:
        length = len(x)
    except TypeError:  # no length, or one that is known to be infinite
        return None
    return length if length >= 0 else None  # tf.data: negative if infinite or unknown
