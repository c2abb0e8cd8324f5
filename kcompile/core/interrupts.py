"""Ctrl-C that must not come in the middle."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any


@contextmanager
def deferred() -> Iterator[None]:
    """Inside, Ctrl-C waits until the end: a module whose import is broken off stays half made for good.

    In another thread than the main one, where Python never raises KeyboardInterrupt, nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    seen: list[Any] = []
    signal.signal(signal.SIGINT, lambda *arguments: seen.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if seen:
            before(*seen[-1])


def whole(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method in which Ctrl-C waits until its end: what it makes is whole or not begun."""

    @wraps(method)
    def uninterrupted(*args: Any, **kwargs: Any) -> Any:
        with deferred():
            return method(*args, **kwargs)

    return uninterrupted
