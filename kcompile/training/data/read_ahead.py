"""Loading beside computing: a thread fetches the next items while the caller works with the last one."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

AHEAD = 4  # items held ready
SLOW = 2e-4  # seconds for an item from which a thread is worth its costs
PATIENCE = 1.0  # seconds that `close` waits for a thread that is inside the user's code


class ReadAhead(Generic[T]):
    """The items of an iterator, in order.

    Quick sources are read by the caller. The first item that takes longer than `SLOW` starts a thread, which
    reads up to `AHEAD` items ahead from then on. What the source raises is raised where its item is due, with
    the source's own traceback.

    Args:    limit: at most so many items are taken from the source.

    >>> list(ReadAhead(iter([1, 2, 3]), limit=2))
    [1, 2]
    """

    def __init__(self, items: Iterator[T], limit: int | None = None):
        self._items, self._left = items, limit
        self._ready: deque[tuple[bool, Any]] = deque()  # (is it an item?, the item or what ended them)
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def __iter__(self) -> ReadAhead[T]:
        return self

    def __next__(self) -> T:
        if self._thread is not None:
            return self._take()
        if self._closed or self._left == 0:
            raise StopIteration
        began = time.perf_counter()
        item = next(self._items)
        self._count()
        if time.perf_counter() - began > SLOW and self._left != 0:
            self._thread = threading.Thread(target=self._read, name="kcompile read ahead", daemon=True)
            self._thread.start()
        return item

    def close(self) -> None:
        """Stop reading. Items that were read and not taken are dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(PATIENCE)

    def _count(self) -> None:
        if self._left is not None:
            self._left -= 1

    def _take(self) -> T:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._closed)
            if self._closed:
                raise StopIteration
            is_item, value = self._ready[0]
            if is_item:  # what ends the items stays, for whoever asks again
                self._ready.popleft()
                self._changed.notify_all()
                return value
        raise value

    def _read(self) -> None:
        """What the thread does."""
        try:
            while self._left != 0 and self._has_room():
                item = next(self._items)
                self._count()
                self._put(True, item)
            self._put(False, StopIteration())
        except BaseException as error:
            self._put(False, error)

    def _has_room(self) -> bool:
        """Wait until another item is wanted; False if none will be."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._ready) < AHEAD)
            return not self._closed

    def _put(self, is_item: bool, value: Any) -> None:
        with self._changed:
            self._ready.append((is_item, value))
            self._changed.notify_all()
