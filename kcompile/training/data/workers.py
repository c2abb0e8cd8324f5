"""Threads and processes that compute the batches of a PyDataset ahead of their use, in order."""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any

from kcompile.core.errors import message
from kcompile.training.data.start_method import start_method

LONG_WAIT = 60.0  # seconds after which a batch that does not come is reported

_dataset: Any = None  # in a worker process: its copy of the data set


class Workers:
    """A pool for one data set, of threads or of processes (how these begin: `start_method.py`).

    Processes work on a copy of the data set, made anew when it has changed between two passes; a data set
    that cannot be pickled, which only a fork can take over, is taken anew in every pass.
    """

    def __init__(self, dataset: Any, count: int, processes: bool, ahead: int):
        self._dataset, self._count, self._processes, self._ahead = dataset, count, processes, max(1, ahead)
        self._pool: Executor | None = None
        self._copy: bytes | None = None  # what the processes work on

    def batches(self, order: Iterable[int]) -> Iterator[Any]:
        """The data set's batches in this order.

        Raises:  what `__getitem__` raises; RuntimeError if a worker process died.
        """
        pool, get = self._started()
        waiting: deque[tuple[int, Future[Any]]] = deque()
        positions = iter(order)
        try:
            for index in itertools.islice(positions, self._ahead):
                waiting.append((index, pool.submit(get, index)))
            while waiting:
                batch = self._result(*waiting.popleft())
                for index in itertools.islice(positions, 1):
                    waiting.append((index, pool.submit(get, index)))
                yield batch
        finally:
            for _, future in waiting:
                future.cancel()

    def close(self) -> None:
        """Let the workers go; what they compute now is dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._copy = None

    def _started(self) -> tuple[Executor, Any]:
        if not self._processes:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="PyDataset")
            return self._pool, self._dataset.__getitem__
        copy = self._pickled()
        if copy is None or copy != self._copy:
            self.close()
            method = start_method(copy)
            given = self._dataset if method == "fork" else copy
            self._pool = ProcessPoolExecutor(self._count, get_context(method), _adopt, (given,))
            self._copy = copy
        assert self._pool is not None
        return self._pool, _item

    def _pickled(self) -> bytes | None:
        try:
            return pickle.dumps(self._dataset)
        except Exception as error:
            if start_method(None) == "fork":
                return None
            kind = type(self._dataset).__name__
            raise ValueError(
                message(
                    f"{kind} cannot be sent to worker processes: {error}",
                    hint="define the class at the top of a module and keep open files out of it (open them "
                    "in __getitem__), or set use_multiprocessing=False to use threads",
                )
            ) from error

    def _result(self, index: int, future: Future[Any]) -> Any:
        """The batch, when it is there; a wait that lasts is reported."""
        for waited in itertools.count(1):
            try:
                return future.result(LONG_WAIT)
            except FutureTimeoutError:
                if future.done():  # the data set itself timed out
                    raise
                name = f"{type(self._dataset).__name__}[{index}]"
                warnings.warn(
                    f"Still waiting for batch {name}, for {waited * LONG_WAIT:.0f} seconds.", stacklevel=2
                )
            except BrokenProcessPool as error:
                self.close()
                raise RuntimeError(self._broken(index)) from error
        raise AssertionError

    def _broken(self, index: int) -> str:
        return message(
            f"A worker process of {type(self._dataset).__name__} died while batch {index} was awaited.",
            hint="it was killed or crashed (memory?), or its data set cannot be made in a fresh process",
        )


def _adopt(given: Any) -> None:
    """In a new worker process: take the data set, pickled by the parent process unless this is its fork."""
    global _dataset
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent process acts on it
    threading.Thread(target=_end_with_parent, name="kcompile parent", daemon=True).start()
    _dataset = pickle.loads(given) if isinstance(given, bytes) else given


def _end_with_parent() -> None:
    """A parent that was killed tells nobody, and whoever waits for its next order would wait forever."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _item(index: int) -> Any:
    return _dataset[index]
