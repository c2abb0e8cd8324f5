"""Who asks whether a dimension is equal to something: a trace with another extent might go another way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _Thread(threading.local):
    def __init__(self) -> None:
        self.watching: list[set[str]] = []


_thread = _Thread()


@contextmanager
def watched() -> Iterator[set[str]]:
    """Inside, modules are noted that find a dimension unequal to something."""
    _thread.watching.append(set())
    try:
        yield _thread.watching[-1]
    finally:
        _thread.watching.pop()


def note(asking: FrameType) -> None:
    """A dimension was unequal to something that this frame compared it with."""
    if _thread.watching:
        _thread.watching[-1].add(asking.f_globals.get("__name__", ""))
