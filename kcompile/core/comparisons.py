"""Who looks at what an open dimension is: a trace with another extent might go another way there.

Comparisons, hashes (sets, keys of dicts), texts, tests for zero, `isinstance` and attempts to have a number.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any


class _Thread(threading.local):
    def __init__(self) -> None:
        self.watching: list[set[str]] = []


_thread = _Thread()
watchers = 0  # in all threads: none in all but a few traces, where noting must cost nothing
_counting = threading.Lock()


@contextmanager
def watched() -> Iterator[set[str]]:
    """Inside, modules are noted that look at a dimension; for Python's own and NumPy, who calls them."""
    _thread.watching.append(set())
    _count(1)
    try:
        yield _thread.watching[-1]
    finally:
        _count(-1)
        _thread.watching.pop()


def _count(more: int) -> None:
    global watchers
    with _counting:
        watchers += more


def _renew() -> None:
    """Another thread may have held the lock when the process forked."""
    global _counting
    _counting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def note(asking: FrameType | None) -> None:
    """This frame has looked at a dimension."""
    if not _thread.watching:
        return
    while asking is not None and (_root(asking) == "numpy" or _root(asking) in sys.stdlib_module_names):
        if _is_collecting(asking):
            return
        asking = asking.f_back
    if asking is not None:
        _thread.watching[-1].add(_root(asking))


def _is_collecting(frame: FrameType) -> bool:
    """Does a dictionary of weak references drop an entry here? That happens below whatever runs just then."""
    return frame.f_code.co_name == "remove" and frame.f_globals.get("__name__") == "weakref"


def look() -> None:
    """Whoever called the caller has looked at a dimension."""
    if watchers:
        note(sys._getframe(2))


def _root(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


class Watched:
    """Base of what is looked at: its type, and its order, which it has not."""

    __slots__ = ()

    def _type(self) -> type[Any]:
        """Python asks for it in `isinstance(dimension, int)`, where the answer is no."""
        if watchers:
            look()
        return type(self)

    def _unordered(self, other: object) -> bool:
        look()
        if isinstance(other, (int, float, Watched)):
            raise TypeError(
                f"dimension {self} is known only at run time; compare it as a tensor: "
                'ops.cast(dimension, "int32")'
            )
        return NotImplemented  # a tensor knows how

    if not TYPE_CHECKING:  # to a checker these are not there
        __class__ = property(_type)
        __lt__ = __le__ = __gt__ = __ge__ = _unordered
