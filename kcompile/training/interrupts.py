"""Ctrl-C that is never lost.

Python raises KeyboardInterrupt wherever it happens to be, and swallows it inside of a finalizer. So it is
noted as well, and raised between native calls if nobody has seen it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def noted() -> Iterator[Callable[[], None]]:
    """Inside, Ctrl-C is noted; the given function raises KeyboardInterrupt if one was, and went unseen.

    In another thread than the main one, or where a program handles SIGINT itself, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield _nothing
        return
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield _nothing
        return
    pending: list[bool] = []

    def handler(number: int, frame: Any) -> None:
        pending.append(True)
        # At once: the error may come where nothing catches it, between two lines of this function too.
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt

    def check() -> None:
        if pending:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handler)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


def _nothing() -> None:
    pass
