"""Building large structures without the garbage collector."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LONG = 0.5  # seconds of building, which leave so much behind that looking through it takes a while
REST = 1.0  # seconds until that is done

_lock = threading.Lock()
_builders = 0  # that are inside
_began = 0.0
_pending: threading.Timer | None = None  # it will switch the collector on again
_was_enabled = False


@contextmanager
def paused_collection() -> Iterator[None]:
    """Without garbage collection inside, and for a second after much was built.

    Graphs, expressions and Numba's objects live long, and looking through them again and again took a third
    of the time to plan a network of hundreds of kernels. What compiling them has left takes up to 0.3 s to
    look through: a training step that waits for its kernels need not wait for that.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _builders, _began, _pending, _was_enabled
    with _lock:
        if _builders == 0:
            _was_enabled = gc.isenabled() or _pending is not None
            _began = time.monotonic()
            gc.disable()
        if _pending is not None:
            _pending.cancel()
            _pending = None
        _builders += 1


def _leave() -> None:
    global _builders, _pending
    with _lock:
        _builders = max(0, _builders - 1)  # a fork inside forgets who builds
        if _builders or not _was_enabled:
            return
        if time.monotonic() - _began < LONG:
            gc.enable()
            return
        _pending = threading.Timer(REST, _resume)
        _pending.daemon = True
        _pending.start()


def _resume() -> None:
    global _pending
    with _lock:
        if _pending is threading.current_thread():
            _pending = None
            gc.enable()


def _after_fork() -> None:
    """No other thread is here, and nobody who builds."""
    global _lock, _builders, _pending
    if _pending is not None or (_builders and _was_enabled):
        gc.enable()
    _lock, _builders, _pending = threading.Lock(), 0, None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
